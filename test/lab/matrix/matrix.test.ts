// The fast part of `npm run lab`: three telling kinds of NAT, each against each, the built command line in real
// processes. One named test per cell.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { type Expectation, expectation } from '../expectations.js';
import { type NatKindName, natKind } from '../nat-kinds.js';
import { type NeighbourhoodName, neighbourExpectation } from '../neighbourhoods.js';
import { runMatrix } from './matrix.js';
import type { Cell } from './result.js';

const describeLab = await requirement('lab');
const NEIGHBOURS: readonly NeighbourhoodName[] = ['same-lan', 'same-carrier'];
const KINDS: readonly NatKindName[] = ['open', 'port-restricted-drop', 'symmetric-random'];

describeLab('the matrix, its fast part', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wayleave-matrix-'));
  let cells: Cell[] = [];
  beforeAll(async () => {
    const options = {
      kinds: KINDS,
      neighbourhoods: NEIGHBOURS,
      oneWayMs: 10,
      loss: 0,
      runs: 1,
      seed: 1,
      atOnce: 3,
      directory,
    };
    cells = await runMatrix(options);
  }, 120_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const found = (a: string, b: string) => cells.find(cell => cell.a === a && cell.b === b)!;
  const outcome = ({ strategies, reason }: Expectation) =>
    strategies.join(' or ') || `no connection (${reason})`;

  for (const a of KINDS) {
    for (const b of KINDS) {
      test(`${a} to ${b}: ${outcome(expectation(natKind(a), natKind(b)))}`, () => {
        expect(found(a, b)).toMatchObject({ runs: 1, asExpected: true });
      });
    }
  }
  for (const name of NEIGHBOURS) {
    test(`neighbours, ${name}: ${outcome(neighbourExpectation(name))}`, () => {
      expect(found(name, name)).toMatchObject({ runs: 1, asExpected: true });
    });
  }
});
