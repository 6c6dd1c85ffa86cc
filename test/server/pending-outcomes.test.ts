// Messages under way to other processes: each settled once, in time, and never too many.
import { describe, expect, it } from 'vitest';
import { PendingOutcomes } from '../../signalling-server/backplane/pending-outcomes.js';
import { FakeClock } from '../fake-clock.js';

const create = () => {
  const clock = new FakeClock();
  const end = new AbortController();
  return { clock, end, pending: new PendingOutcomes(clock, end.signal) };
};

describe('pending outcomes', () => {
  it('settle by their outcome, the first one', async () => {
    const { pending } = create();
    const { ref, outcome } = pending.begin(10)!;
    pending.settle(ref, 'too-slow');
    pending.settle(ref, 'sent');
    pending.settle(ref + 1, 'sent');
    expect(await outcome).toBe('too-slow');
    expect([pending.size, pending.timedOut]).toEqual([0, 0]);
  });

  it('each by its own time, where nothing is heard; then nothing is left running', async () => {
    const { clock, pending } = create();
    const settled: string[] = [];
    const begin = (name: string) =>
      void pending.begin(1)!.outcome.then(outcome => settled.push(`${name} ${outcome} ${clock.now()}`));
    begin('first');
    await clock.advance(1500);
    begin('second');
    await clock.advance(1000);
    expect(settled).toEqual(['first unavailable 2000']);
    await clock.advance(5000);
    expect(settled).toEqual(['first unavailable 2000', 'second unavailable 3500']);
    expect([pending.size, pending.timedOut, clock.pending]).toEqual([0, 2, 0]);
    begin('third');
    await clock.advance(5000);
    expect(settled.at(-1)).toBe('third unavailable 9500');
  });

  it('all at once, when the way to them is lost', async () => {
    const { pending } = create();
    const outcomes = [pending.begin(1)!.outcome, pending.begin(1)!.outcome];
    pending.settleAll('unavailable');
    expect(await Promise.all(outcomes)).toEqual(['unavailable', 'unavailable']);
    expect(pending.size).toBe(0);
  });

  it('are bounded in number and in size', () => {
    const { pending } = create();
    const some = Array.from({ length: 32_768 }, () => pending.begin(1)!);
    expect(pending.begin(1)).toBeUndefined();
    pending.settle(some[7]!.ref, 'sent');
    expect(pending.begin(64 * 1024 * 1024)).toBeUndefined();
    expect(pending.begin(1)).toBeDefined();
    pending.settleAll('unavailable');
    expect(pending.begin(64 * 1024 * 1024)).toBeDefined();
    expect(pending.begin(1)).toBeUndefined();
  });

  it('wait no more once their owner has ended', async () => {
    const { clock, end, pending } = create();
    pending.begin(1);
    end.abort();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });
});
