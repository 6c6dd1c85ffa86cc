import { describe, expect, test } from 'vitest';
import { Liveness } from '../../../src/pipe/liveness.js';

/** Two sides and a clock that only this test moves: says when a side sent a heartbeat or gave the path up. */
function simulate(
  seconds: number,
  events: (second: number, a: Liveness, b: Liveness) => void,
  cutAt = Infinity,
) {
  const sides = [new Liveness(0), new Liveness(0)];
  const log: string[] = [];
  const dead = new Set<number>();
  for (let s = 0; s <= seconds; s++) {
    const nowMs = s * 1000;
    events(s, sides[0]!, sides[1]!);
    sides.forEach((side, i) => {
      if (dead.has(i)) return;
      const { action } = side.next(nowMs);
      if (action === 'wait') return;
      log.push(`${s} ${'ab'[i]} ${action}`);
      if (action === 'dead') dead.add(i);
      else side.wrote(nowMs);
      if (action === 'heartbeat' && s < cutAt) sides[1 - i]!.heard(nowMs);
    });
  }
  return log;
}

test('an idle pipe: one heartbeat each way in ten seconds, for ever', () => {
  const log = simulate(3600, () => {});
  expect(log).toHaveLength(720);
  expect(log.every(line => line.endsWith('heartbeat'))).toBe(true);
});

test('a side that writes sends no heartbeats', () => {
  const log = simulate(100, (s, a, b) => {
    a.wrote(s * 1000);
    b.heard(s * 1000);
  });
  expect(log.filter(line => line.includes(' a '))).toEqual([]);
  expect(log.filter(line => line.includes(' b '))).toHaveLength(10);
});

test('a path that dies is noticed by both sides within 30 s of the last word', () => {
  for (let cutAt = 0; cutAt < 30; cutAt++) {
    const log = simulate(100, () => {}, cutAt);
    const deaths = log.filter(line => line.endsWith('dead')).map(line => Number(line.split(' ')[0]));
    expect(deaths).toHaveLength(2);
    for (const at of deaths) expect(at - cutAt).toBeLessThanOrEqual(30);
  }
});

describe('a side that does not read', () => {
  test('does not judge the silence that it makes itself', () => {
    const side = new Liveness(0);
    side.reading(false, 1000);
    expect(side.next(60_000)).toEqual({ action: 'heartbeat' });
    side.wrote(60_000);
    expect(side.next(60_000)).toEqual({ action: 'wait', forMs: 10_000 });
  });

  test('starts to count anew when it reads again', () => {
    const side = new Liveness(0);
    side.reading(false, 1000);
    side.reading(true, 60_000);
    side.wrote(60_000);
    expect(side.next(60_000)).toEqual({ action: 'wait', forMs: 10_000 });
    side.wrote(84_999);
    expect(side.next(84_999)).toEqual({ action: 'wait', forMs: 1 });
    expect(side.next(85_000)).toEqual({ action: 'wait', forMs: 1000 }); // the second look
    expect(side.next(86_000)).toEqual({ action: 'dead' });
  });
});

test('a machine that was asleep for an hour first listens', () => {
  const hour = 3_600_000;
  const side = new Liveness(0);
  expect(side.next(hour)).toEqual({ action: 'heartbeat' });
  side.wrote(hour);
  expect(side.next(hour)).toEqual({ action: 'wait', forMs: 1000 });
  side.heard(hour + 50);
  expect(side.next(hour + 1000)).toEqual({ action: 'wait', forMs: 9000 });
});

test('limits of one’s own', () => {
  const side = new Liveness(0, 50, 100);
  expect(side.next(0)).toEqual({ action: 'wait', forMs: 50 });
  expect(side.next(50)).toEqual({ action: 'heartbeat' });
  side.wrote(90);
  expect(side.next(90)).toEqual({ action: 'wait', forMs: 10 });
  expect(side.next(100)).toEqual({ action: 'wait', forMs: 4 });
  expect(side.next(104)).toEqual({ action: 'dead' });
});
