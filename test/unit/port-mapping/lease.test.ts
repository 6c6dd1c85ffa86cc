// The timings of a mapping's life.
import { describe, expect, it } from 'vitest';
import { leaseEndsAtMs, renewalDueAtMs, retryAfterMs } from '../../../src/port-mapping/lease.js';

describe('a lease of an hour, granted at 1000 ms', () => {
  const lease = { grantedAtMs: 1000, lifetimeSeconds: 3600 };

  it('is renewed at half, then at half of what is left after each failure', () => {
    const minutes = [0, 1, 2, 3].map(failures => (renewalDueAtMs(lease, failures) - 1000) / 60_000);
    expect(minutes).toEqual([30, 45, 52.5, 56.25]);
  });

  it('ends after an hour', () => expect(leaseEndsAtMs(lease)).toBe(3_601_000));
});

it('a permanent mapping is never renewed and never ends', () => {
  const lease = { grantedAtMs: 0, lifetimeSeconds: 0 };
  expect([renewalDueAtMs(lease, 0), leaseEndsAtMs(lease)]).toEqual([Infinity, Infinity]);
});

it('a gateway that grants one second is asked once a second at most', () => {
  expect(renewalDueAtMs({ grantedAtMs: 0, lifetimeSeconds: 1 }, 0)).toBe(1000);
});

describe('asking again', () => {
  const times = (hadMapping: boolean) =>
    [1, 2, 3, 4, 5, 6, 7, 8, 20].map(n => retryAfterMs(n, hadMapping) / 1000);

  it('leaves a gateway alone that never gave anything', () =>
    expect(times(false)).toEqual([60, 120, 240, 480, 960, 1800, 1800, 1800, 1800]));

  it('tries for half a minute where a mapping was lost, then as slowly', () =>
    expect(times(true)).toEqual([1, 2, 4, 8, 8, 8, 30, 60, 1800]));
});
