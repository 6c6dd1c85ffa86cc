// The link model without a network: what it loses, delays, caps and reorders, and that a seed repeats it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../random.js';
import { DelayQueue } from './delay-queue.js';
import { burstyLoss, LinkDirection, type LinkSettings, PERFECT_LINK } from './link-model.js';

const FRAMES = 20_000;

/** Arrival times of frames that enter a millisecond apart; undefined where lost. */
function send(change: Partial<LinkSettings>, frames = FRAMES, bytes = 1000, seed = 1) {
  const direction = new LinkDirection(seededRandom(seed, 'test'));
  const settings = { ...PERFECT_LINK, ...change };
  return Array.from({ length: frames }, (_, i) => direction.pass(settings, i, bytes));
}
const lossOf = (arrivals: readonly unknown[]) =>
  arrivals.filter(arrival => arrival === undefined).length / arrivals.length;

describe('a link', () => {
  test('delays every frame by the same time when nothing else is asked', () => {
    expect(send({ delayMs: 20 }, 3)).toEqual([20, 21, 22]);
  });

  test('loses about as many as told, each on its own', () => {
    const arrivals = send({ loss: 0.1 });
    expect(lossOf(arrivals)).toBeCloseTo(0.1, 1);
    expect(meanBurst(arrivals)).toBeCloseTo(1 / 0.9, 1);
  });

  test('loses in bursts of the mean length and at the mean rate (Gilbert-Elliott)', () => {
    const arrivals = send({ burst: burstyLoss(0.1, 8) }, 200_000);
    expect(lossOf(arrivals)).toBeCloseTo(0.1, 1);
    expect(Math.abs(meanBurst(arrivals) - 8)).toBeLessThan(1);
  });

  test('jitters within its bounds and keeps the order', () => {
    const arrivals = send({ delayMs: 10, jitterMs: 5 }) as number[];
    arrivals.forEach((arrival, i) => {
      expect(arrival).toBeGreaterThanOrEqual(i + 10);
      expect(arrival).toBeLessThan(i + 15);
      if (i > 0) expect(arrival).toBeGreaterThanOrEqual(arrivals[i - 1]!);
    });
  });

  test('reorders only the share that it is told to', () => {
    const arrivals = send({ reorder: 0.05, reorderMs: 10 }) as number[];
    const overtaken = arrivals.filter((arrival, i) => i > 0 && arrival < arrivals[i - 1]!).length;
    expect(overtaken / FRAMES).toBeCloseTo(0.05, 1);
    expect(send({}).every((arrival, i) => arrival === i)).toBe(true);
  });

  test('carries what its rate allows and drops what its queue cannot hold', () => {
    // 1000 bytes each millisecond are 8 Mbit/s: a link of half of that loses half, and delays by its queue.
    const arrivals = send({ rateKbps: 4000, queueMs: 50 });
    expect(lossOf(arrivals)).toBeCloseTo(0.5, 1);
    const delays = arrivals.flatMap((arrival, i) => (arrival === undefined ? [] : [arrival - i]));
    expect(Math.max(...delays.slice(200))).toBeLessThanOrEqual(52);
    expect(send({ rateKbps: 16_000 }, 100)).not.toContain(undefined);
  });

  test('passes nothing when it is down', () => {
    expect(lossOf(send({ down: true }))).toBe(1);
  });

  test('repeats itself for a seed, and not for another', () => {
    const chance = { loss: 0.3, jitterMs: 5 };
    expect(send(chance, 100, 1000, 7)).toEqual(send(chance, 100, 1000, 7));
    expect(send(chance, 100, 1000, 7)).not.toEqual(send(chance, 100, 1000, 8));
  });
});

describe('the delay queue', () => {
  test('gives back by due time, then by order of entry', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), dueTimes => {
        const queue = new DelayQueue<number>();
        for (const [i, due] of dueTimes.entries()) queue.push(due, i);
        const expected = dueTimes.map((due, i) => ({ due, i })).sort((a, b) => a.due - b.due || a.i - b.i);
        for (const { due, i } of expected) {
          expect(queue.nextDueMs).toBe(due);
          expect(queue.takeDue(due - 1)).toBeUndefined();
          expect(queue.takeDue(due)).toBe(i);
        }
        expect(queue.size).toBe(0);
      }),
    );
  });
});

/** The mean number of frames lost in a row. */
function meanBurst(arrivals: readonly (number | undefined)[]): number {
  let bursts = 0;
  let lost = 0;
  arrivals.forEach((arrival, i) => {
    if (arrival !== undefined) return;
    lost++;
    if (i === 0 || arrivals[i - 1] !== undefined) bursts++;
  });
  return lost / bursts;
}
