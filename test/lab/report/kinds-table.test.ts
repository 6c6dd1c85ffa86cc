// docs/laboratory.md holds the very table from which the laboratory builds.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NAT_KINDS, type NatKind } from '../nat-kinds.js';
import { NEIGHBOURHOODS } from '../neighbourhoods.js';
import { kindsTable } from './kinds-table.js';

const guide = readFileSync(new URL('../../../docs/laboratory.md', import.meta.url), 'utf8');

test('docs/laboratory.md has the table of NAT kinds as it is', () => {
  expect(guide).toContain(kindsTable(NAT_KINDS as Record<string, NatKind>));
});
test('docs/laboratory.md names every neighbourhood', () => {
  for (const [name, { words }] of Object.entries(NEIGHBOURHOODS)) {
    expect(guide).toContain(`\`${name}\``);
    expect(guide).toContain(words);
  }
});
