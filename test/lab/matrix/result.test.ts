// From runs to cells, and the order in which runs are made, without a network.
import { describe, expect, test } from 'vitest';
import { cellOf, isAsExpected, quantile, type Run, winner } from './result.js';
import { runDisjoint } from './schedule.js';

const run = (change: Partial<Run>): Run => ({
  a: 'open',
  b: 'firewall',
  connected: true,
  strategy: 'reverse',
  ms: 100,
  readyMs: 10,
  attempts: [],
  failure: null,
  kept: null,
  ...change,
});
const failed = run({ connected: false, strategy: null, ms: null, failure: 'connect-failed: no' });
const reverse = { strategies: ['reverse'] as const, reason: 'the initiator can be dialled' };

describe('a cell', () => {
  test('counts, and measures what connected', () => {
    const runs = [run({}), run({ ms: 300 }), failed, run({ strategy: 'relay', ms: 200 })];
    const cell = cellOf('open', 'firewall', runs, reverse);
    expect(cell).toMatchObject({
      runs: 4,
      connected: 3,
      strategies: { reverse: 2, relay: 1 },
      msMedian: 200,
    });
    expect(cell.failures).toEqual([{ message: 'connect-failed: no', kept: null }]);
    expect(cell.asExpected).toBe(false);
    expect(winner(cell)).toBe('reverse');
  });
  test('without any connection has no times and no winner', () => {
    const cell = cellOf('open', 'firewall', [failed], { strategies: [], reason: 'nothing has landed' });
    expect(cell).toMatchObject({ connected: 0, msMedian: null, msP90: null, asExpected: true });
    expect(winner(cell)).toBeNull();
  });
  test('a run is as expected only with an expected strategy, or none where none is', () => {
    expect(isAsExpected(run({}), reverse)).toBe(true);
    expect(isAsExpected(run({ strategy: 'relay' }), reverse)).toBe(false);
    expect(isAsExpected(failed, reverse)).toBe(false);
    expect(isAsExpected(run({}), { strategies: [], reason: '' })).toBe(false);
  });
  test('quantiles lie between the ranks', () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([4], 0.9)).toBe(4);
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(2.5);
    expect(quantile([0, 10], 0.9)).toBe(9);
  });
});

describe('the schedule', () => {
  test('does everything, never two things at one place, never more at once than told', async () => {
    const bookings = ['a', 'b', 'c', 'd'].flatMap(from =>
      ['w', 'x', 'y', 'z'].map(to => ({ places: [from, to] })),
    );
    const busy = new Set<string>();
    let running = 0;
    let most = 0;
    let done = 0;
    await runDisjoint(bookings, 3, async ({ places }) => {
      for (const place of places) expect(busy.has(place)).toBe(false);
      for (const place of places) busy.add(place);
      most = Math.max(most, ++running);
      await new Promise(resolve => setTimeout(resolve, 1));
      running--;
      done++;
      for (const place of places) busy.delete(place);
    });
    expect(done).toBe(16);
    expect(most).toBe(3);
  });
  test('stops at the first failure, after what is under way', async () => {
    const seen: number[] = [];
    const work = ({ n }: { n: number }) => {
      seen.push(n);
      return n === 1 ? Promise.reject(new Error('no')) : Promise.resolve();
    };
    const bookings = [1, 2, 3, 4, 5].map(n => ({ n, places: [String(n)] }));
    await expect(runDisjoint(bookings, 2, work)).rejects.toThrow('no');
    expect(seen).toEqual([1, 2]);
  });
});
