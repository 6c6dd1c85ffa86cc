// When a channel tries again: soon enough to find a server that restarts, never all at once, never never.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryPause } from '../../../src/signalling/retry-pause.js';

/** The bounds after each of these. */
function bounds(deeds: readonly ('failed' | 'taken-over' | number)[]): number[] {
  const pause = new RetryPause(() => 1);
  return deeds.map(deed => {
    if (deed === 'failed') pause.failed();
    else if (deed === 'taken-over') pause.takenOver();
    else pause.lost(deed);
    return pause.nextMs();
  });
}

describe('the pause before the next try', () => {
  it('doubles from half a second to 30 s while the server cannot be reached', () => {
    const failures = Array.from({ length: 8 }, () => 'failed' as const);
    expect(bounds(failures)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('begins at 2 s when a server was lost, whatever came before, and doubles from there', () => {
    expect(bounds([60_000, 'failed', 'failed'])).toEqual([2000, 4000, 8000]);
    expect(bounds([1000, 'failed'])).toEqual([2000, 4000]);
    expect(bounds(['failed', 'failed', 'failed', 'failed', 'failed', 60_000]).at(-1)).toBe(2000);
  });

  it('grows when registrations do not last', () => {
    expect(bounds([100, 100, 100, 100])).toEqual([2000, 4000, 8000, 16_000]);
  });

  it('is 30 s for an identity that another process holds', () => {
    expect(bounds([60_000, 'taken-over'])[1]).toBe(30_000);
  });

  it('is drawn anew each time, evenly from nothing to its bound', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), draw => {
        const pause = new RetryPause(() => draw);
        pause.lost(60_000);
        expect(pause.nextMs()).toBe(draw * 2000);
      }),
    );
  });
});
