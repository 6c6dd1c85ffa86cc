// Hole punching behind real kernel NATs: a few telling cells, once each. The figures of docs/punching.md come from
// longer runs of `npm run lab -- --cells …`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requirement } from '../requirements.js';
import { synsIn } from './capture.js';
import { expectation } from './expectations.js';
import { runMatrix } from './matrix/matrix.js';
import type { Cell } from './matrix/result.js';
import { runCell } from './matrix/run.js';
import { Stage } from './matrix/stage.js';
import { type NatKindName, natKind } from './nat-kinds.js';

const describeLab = await requirement('lab');
const directory = mkdtempSync(join(tmpdir(), 'wayleave-punch-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const pairs = (text: string) =>
  text.split(' ').map(pair => {
    const [a, b] = pair.split(':') as [NatKindName, NatKindName];
    return { a, b };
  });

async function cells(
  list: string,
  more: Partial<Parameters<typeof runMatrix>[0]> = {},
): Promise<readonly Cell[]> {
  const wanted = pairs(list);
  const kinds = [...new Set(wanted.flatMap(({ a, b }) => [a, b]))];
  const common = { neighbourhoods: [], oneWayMs: 20, loss: 0, runs: 1, seed: 1, atOnce: 2, directory };
  return await runMatrix({ kinds, pairs: wanted, ...common, ...more });
}

describeLab('punching', () => {
  const CELLS =
    'port-restricted-drop:port-restricted-drop random-ports:random-ports ipv6-firewall:ipv6-firewall ' +
    'port-restricted-drop:symmetric-up symmetric-down:symmetric-up symmetric-random:port-restricted-drop';

  describe('at 20 ms one way', () => {
    let found: readonly Cell[] = [];
    beforeAll(async () => {
      found = await cells(CELLS, { explain: true });
    }, 180_000);

    for (const { a, b } of pairs(CELLS)) {
      test(`${a} to ${b}: punched, as explain foretells`, () => {
        const cell = found.find(each => each.a === a && each.b === b);
        expect(cell).toMatchObject({ strategies: { punch: 1 }, explained: 'punch' });
      });
    }
  });

  test('5 ms there and 60 ms back, clocks ten minutes apart, resetting NATs', {
    timeout: 120_000,
  }, async () => {
    const [cell] = await cells('port-restricted-reset:port-restricted-reset', {
      oneWayMs: 32.5,
      skewMs: -55,
      clockAheadMs: 600_000,
    });
    expect(cell).toMatchObject({ strategies: { punch: 1 } });
  });

  describe('what leaves the networks', () => {
    const KINDS: readonly NatKindName[] = ['symmetric-random', 'symmetric-up', 'port-restricted-drop'];
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.set(KINDS, [], { oneWayMs: 20, atOnce: 2 });
    }, 120_000);
    afterAll(() => stage?.[Symbol.asyncDispose]());

    async function connected(a: NatKindName, b: NatKindName) {
      const stop = await stage.world.wan.record(stage.initiator(a).link, stage.responder(b).link);
      const expected = expectation(natKind(a), natKind(b));
      const run = await runCell(stage, { a, b, number: 1, expected, directory });
      const file = join(directory, `${a}-${b}.pcap`);
      await stop(file);
      return { run, syns: synsIn(readFileSync(file)) };
    }

    test.each<[NatKindName, NatKindName, string]>([
      ['symmetric-random', 'symmetric-random', 'random-ports-both'],
      ['symmetric-up', 'symmetric-random', 'random-and-changing-ports'],
    ])('%s to %s cannot be punched: skipped at once, no SYN', { timeout: 60_000 }, async (a, b, reason) => {
      const { run, syns } = await connected(a, b);
      const punch = run.attempts.find(({ strategy }) => strategy === 'punch');
      expect(punch).toMatchObject({ outcome: 'skipped', reason, ms: 0 });
      expect(syns).toBe(0);
    });

    test('the birthday plan: no more than 1,500 SYNs, both sides together', { timeout: 60_000 }, async () => {
      const { run, syns } = await connected('symmetric-random', 'port-restricted-drop');
      expect(run.strategy).toBe('punch');
      expect(syns).toBeGreaterThan(1000);
      expect(syns).toBeLessThanOrEqual(1500);
    });
  });
});
