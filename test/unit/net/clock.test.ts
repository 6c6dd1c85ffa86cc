import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { type Clock, systemClock } from '../../../src/net/clock.js';
import { FakeClock } from '../../fake-clock.js';

const listeners = (...signals: AbortSignal[]) =>
  signals.map(signal => getEventListeners(signal, 'abort').length);

// The product's clock under vitest's timers, and the tests' own clock: both keep the same promises.
interface Subject {
  readonly clock: Clock;
  pass(ms: number): Promise<unknown>;
  pending(): number;
}
const SUBJECTS: Record<string, () => Subject> = {
  systemClock: () => ({
    clock: systemClock,
    pass: ms => vi.advanceTimersByTimeAsync(ms),
    pending: () => vi.getTimerCount(),
  }),
  FakeClock: () => {
    const clock = new FakeClock();
    return { clock, pass: ms => clock.advance(ms), pending: () => clock.pending };
  },
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());

describe.each(Object.entries(SUBJECTS))('%s', (_, make) => {
  let { clock, pass, pending } = make();
  beforeEach(() => ({ clock, pass, pending } = make()));

  it('measures durations and the calendar in milliseconds', async () => {
    const [now, wall] = [clock.now(), clock.wall()];
    await pass(1500);
    expect(clock.now() - now).toBeCloseTo(1500, 3);
    expect(clock.wall() - wall).toBeCloseTo(1500, 3);
  });

  describe('sleep', () => {
    it('ends when the time is over, not before', async () => {
      let awake = false;
      const sleeping = clock.sleep(100).then(() => (awake = true));
      await pass(99);
      expect(awake).toBe(false);
      await pass(1);
      expect(awake).toBe(true);
      await sleeping;
      expect(pending()).toBe(0);
    });

    it('ends with the abort, and lets go of signal and timer', async () => {
      const controller = new AbortController();
      const sleeping = clock.sleep(100, controller.signal);
      const reason = new WayleaveError('closed', 'closed');
      controller.abort(reason);
      await expect(sleeping).rejects.toBe(reason);
      expect(pending()).toBe(0);
      expect(listeners(controller.signal)).toEqual([0]);
      await expect(clock.sleep(100, controller.signal)).rejects.toBe(reason);
      await expect(clock.sleep(100, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
      expect(pending()).toBe(0);
    });

    it('lets go of its signal when the time is over', async () => {
      const { signal } = new AbortController();
      const sleeping = clock.sleep(100, signal);
      expect(listeners(signal)).toEqual([1]);
      await pass(100);
      await sleeping;
      expect(listeners(signal)).toEqual([0]);
    });
  });

  describe('deadline', () => {
    const parents = () => [new AbortController(), new AbortController(), new AbortController()] as const;

    it('aborts when the time is over, and has then let go of every parent', async () => {
      const [a, b] = parents();
      const deadline = clock.deadline(100, [a.signal, undefined, b.signal]);
      expect(listeners(a.signal, b.signal)).toEqual([1, 1]);
      await pass(99);
      expect(deadline.signal.aborted).toBe(false);
      await pass(1);
      expect(deadline.signal.reason).toMatchObject({ code: 'timeout', message: 'no result within 100 ms' });
      expect(listeners(a.signal, b.signal)).toEqual([0, 0]);
    });

    it('aborts with the reason that it is given', async () => {
      const reason = new WayleaveError('no-answer', 'the gateway is silent');
      const deadline = clock.deadline(100, undefined, () => reason);
      await pass(100);
      expect(deadline.signal.reason).toBe(reason);
    });

    it('aborts with whichever parent is first, and lets go of the others', async () => {
      const [a, b, c] = parents();
      const deadline = clock.deadline(100, [a.signal, b.signal, c.signal]);
      const reason = new WayleaveError('closed', 'b is closed');
      b.abort(reason);
      a.abort(new Error('too late'));
      expect(deadline.signal.reason).toBe(reason);
      expect(listeners(a.signal, b.signal, c.signal)).toEqual([0, 0, 0]);
      expect(pending()).toBe(0);
      await pass(200);
      expect(deadline.signal.reason).toBe(reason);
    });

    it('is over at once when a parent is', () => {
      const [a, b] = parents();
      b.abort(new WayleaveError('closed', 'b is closed'));
      const deadline = clock.deadline(100, [a.signal, b.signal]);
      expect(deadline.signal.reason).toBe(b.signal.reason);
      expect(listeners(a.signal, b.signal)).toEqual([0, 0]);
      expect(pending()).toBe(0);
    });

    it('never aborts once it is disposed, and has let go of everything', async () => {
      const [a, b] = parents();
      const deadline = clock.deadline(100, [a.signal, b.signal]);
      deadline[Symbol.dispose]();
      deadline[Symbol.dispose]();
      expect(listeners(a.signal, b.signal)).toEqual([0, 0]);
      expect(pending()).toBe(0);
      a.abort();
      await pass(200);
      expect(deadline.signal.aborted).toBe(false);
    });

    it('takes one parent without a list, twice the same, and none', async () => {
      const { signal } = new AbortController();
      using one = clock.deadline(100, signal);
      expect(listeners(signal)).toEqual([1]);
      using two = clock.deadline(50, [signal, signal]);
      using none = clock.deadline(10);
      await pass(100);
      expect([one, two, none].map(deadline => deadline.signal.aborted)).toEqual([true, true, true]);
      expect(listeners(signal)).toEqual([0]);
    });

    it('nests a thousand deep under one parent and leaves nothing behind', () => {
      const [root] = parents();
      for (let i = 0; i < 1000; i++) {
        using outer = clock.deadline(1000, root.signal);
        using _inner = clock.deadline(500, [outer.signal, root.signal]);
      }
      expect(listeners(root.signal)).toEqual([0]);
      expect(pending()).toBe(0);
    });
  });
});

it('systemClock waits at most 24.8 days, where a timer would end after a millisecond', async () => {
  let awake = false;
  void systemClock.sleep(2 ** 31).then(() => (awake = true));
  using deadline = systemClock.deadline(Number.POSITIVE_INFINITY);
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect([awake, deadline.signal.aborted]).toEqual([false, false]);
});

it('FakeClock fires in order of time, and its calendar can be set wrong', async () => {
  const clock = new FakeClock();
  const order: number[] = [];
  for (const ms of [30, 10, 20, 10.5]) void clock.sleep(ms).then(() => order.push(ms));
  void clock.sleep(5).then(() => clock.sleep(7).then(() => order.push(12)));
  await clock.advance(25);
  expect(order).toEqual([10, 10.5, 12, 20]);
  const now = clock.now();
  clock.setWall(0);
  expect([clock.wall(), clock.now()]).toEqual([0, now]);
});
