// security.md row 11: dial requests are capped.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { nodeOptionsSchema } from '../../../src/options.js';
import { DialLimiter } from '../../../src/strategies/dial-limits.js';

const MINUTE = 60_000;
let now: number;
const limiter = (perPeerPerMinute = 6, perNodePerMinute = 60) =>
  new DialLimiter({ perPeerPerMinute, perNodePerMinute }, () => now);
/** Asks, and is done at once. */
const once = (limits: DialLimiter, peer: string): boolean => {
  const place = limits.admit(peer);
  place?.[Symbol.dispose]();
  return place !== undefined;
};
beforeEach(() => void (now = 0));

describe('dial requests', () => {
  it('are one at a time for each peer', () => {
    const limits = limiter();
    const place = limits.admit('alice');
    expect(place).toBeDefined();
    expect(limits.admit('alice')).toBeUndefined();
    expect(limits.admit('bob')).toBeDefined();
    place![Symbol.dispose]();
    expect(limits.admit('alice')).toBeDefined();
  });

  it('keep their place until it is given back, however long, and only their own', () => {
    const limits = limiter();
    const first = limits.admit('alice')!;
    now += 10 * MINUTE;
    expect(limits.admit('alice')).toBeUndefined();
    first[Symbol.dispose]();
    const second = limits.admit('alice');
    first[Symbol.dispose](); // again: not the place of the second
    expect(limits.admit('alice')).toBeUndefined();
    second![Symbol.dispose]();
    expect(limits.admit('alice')).toBeDefined();
  });

  it('are six a minute for a peer; others and the next minute are free', () => {
    const limits = limiter();
    expect(Array.from({ length: 8 }, () => once(limits, 'alice'))).toEqual([
      ...Array(6).fill(true),
      false,
      false,
    ]);
    expect(once(limits, 'bob')).toBe(true);
    now += MINUTE - 1;
    expect(once(limits, 'alice')).toBe(false);
    now += 1;
    expect(once(limits, 'alice')).toBe(true);
  });

  it('are sixty a minute for a node', () => {
    const limits = limiter();
    const admitted = Array.from({ length: 100 }, (_, i) => once(limits, `peer${i}`)).filter(Boolean);
    expect(admitted).toHaveLength(60);
    now += MINUTE;
    expect(once(limits, 'peer99')).toBe(true);
  });

  it('that were refused do not count', () => {
    const limits = limiter(1, 2);
    for (let i = 0; i < 50; i++) once(limits, 'mallory');
    expect(once(limits, 'alice')).toBe(true);
  });

  it('are none where the limit is zero', () => {
    expect(once(limiter(0, 60), 'alice')).toBe(false);
    expect(once(limiter(6, 0), 'alice')).toBe(false);
  });

  it('have the figures of row 11 by default', () => {
    expect(nodeOptionsSchema.parse({})).toMatchObject({ dialRequestsPerPeer: 6, dialRequestsPerNode: 60 });
  });

  it('never exceed either limit in any minute, whatever the sequence', () => {
    const step = fc.record({
      peer: fc.integer({ min: 0, max: 4 }),
      waitMs: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        now = 0;
        const limits = limiter(2, 5);
        const admitted: { peer: number; at: number }[] = [];
        for (const { peer, waitMs } of steps) {
          now += waitMs;
          const recent = admitted.filter(({ at }) => now - at < MINUTE);
          const free = recent.length < 5 && recent.filter(entry => entry.peer === peer).length < 2;
          expect(once(limits, `peer${peer}`)).toBe(free);
          if (free) admitted.push({ peer, at: now });
        }
      }),
    );
  });
});
