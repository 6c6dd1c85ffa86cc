// The fast part of `npm run lab`: three telling kinds of NAT, each against each, the built command line in real
// processes. One named test per cell.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { expectation } from '../expectations.js';
import { type NatKindName, natKind } from '../nat-kinds.js';
import { runMatrix } from './matrix.js';
import type { Cell } from './result.js';

const describeLab = await requirement('lab');
const KINDS: readonly NatKindName[] = ['open', 'port-restricted-drop', 'symmetric-random'];

describeLab('the matrix, its fast part', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wayleave-matrix-'));
  let cells: Cell[] = [];
  beforeAll(async () => {
    const options = { kinds: KINDS, oneWayMs: 10, loss: 0, runs: 1, seed: 1, atOnce: 3, directory };
    cells = await runMatrix(options);
  }, 120_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  for (const a of KINDS) {
    for (const b of KINDS) {
      const { strategies, reason } = expectation(natKind(a), natKind(b));
      test(`${a} to ${b}: ${strategies.join(' or ') || `no connection (${reason})`}`, () => {
        const cell = cells.find(each => each.a === a && each.b === b)!;
        expect(cell.failures.filter(() => !cell.asExpected)).toEqual([]);
        expect(cell.asExpected).toBe(true);
        expect(cell.runs).toBe(1);
      });
    }
  }
});
