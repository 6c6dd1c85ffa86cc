// The fast part of `npm run lab`: three telling kinds of NAT, each against each, the built command line in real
// processes. One named test per cell.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { type Expectation, expectation } from '../expectations.js';
import { type NatKindName, natKind } from '../nat-kinds.js';
import { type NeighbourhoodName, neighbourExpectation } from '../neighbourhoods.js';
import { runMatrix } from './matrix.js';
import type { Cell } from './result.js';
import { runCell } from './run.js';
import { Stage } from './stage.js';

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

  test('a run that ends other than expected leaves its logs and a capture, and says where', async () => {
    await using stage = await Stage.set(['open'], [], { oneWayMs: 5, atOnce: 1 });
    const wrong = { strategies: ['relay'] as const, reason: 'wrong on purpose' };
    const cell = { a: 'open', b: 'open', number: 1, directory };
    const { connected, kept } = await runCell(stage, { ...cell, expected: wrong });
    expect(connected).toBe(true);
    const files = readdirSync(kept!).sort();
    expect(files).toEqual(['connect.jsonl', 'connect.log', 'node.log', 'server.log', 'wan.pcap']);
    const capture = readFileSync(join(kept!, 'wan.pcap'));
    expect(capture.readUInt32LE(0)).toBe(0xa1b2c3d4); // a pcap file, see pcap-savefile(5)
    expect(countPackets(capture)).toBeGreaterThan(10);
    const right = await runCell(stage, { ...cell, expected: { strategies: ['direct'], reason: 'so it is' } });
    expect(right).toMatchObject({ strategy: 'direct', kept: null });
  }, 60_000);
});

function countPackets(capture: Buffer): number {
  let packets = 0;
  for (let at = 24; at < capture.length; at += 16 + capture.readUInt32LE(at + 8)) packets++;
  return packets;
}
