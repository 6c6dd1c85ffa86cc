// Which seat is the later one, whatever the calendars say.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, MAX_STAMP, outranks, Stamps } from '../../signalling-server/backplane/seat-stamps.js';

describe('stamps', () => {
  it('follow the calendar, and never run back with it', () => {
    let wall = 1000.7;
    const stamps = new Stamps(() => wall);
    expect([stamps.next(), stamps.next()]).toEqual([1000, 1001]);
    wall = 500;
    expect(stamps.next()).toBe(1002);
    wall = 2000;
    expect(stamps.next()).toBe(2000);
  });

  it('are higher than every stamp seen, whatever the calendar says', () => {
    const stamps = new Stamps(() => 1000);
    stamps.saw(90_000);
    stamps.saw(5);
    expect(stamps.latest).toBe(90_000);
    expect(stamps.next()).toBe(90_001);
  });

  it('can always be counted on: a stamp from beyond all calendars is not followed', () => {
    const stamps = new Stamps(() => 1000);
    stamps.saw(MAX_STAMP);
    expect(stamps.next()).toBe(1000);
  });
});

describe('of several claims', () => {
  const claim: fc.Arbitrary<Claim> = fc.record({ stamp: fc.nat(3), by: fc.constantFrom('a', 'b', 'c') });
  const same = (one: Claim, other: Claim) => one.stamp === other.stamp && one.by === other.by;

  it('one outranks all others, in whatever order they are heard', () => {
    fc.assert(
      fc.property(fc.array(claim, { minLength: 1, maxLength: 8 }), claims => {
        const winner = (heard: readonly Claim[]) =>
          heard.reduce((best, next) => (outranks(next, best) ? next : best));
        const best = winner(claims);
        expect(winner([...claims].reverse())).toEqual(best);
        for (const other of claims)
          expect([outranks(best, other), outranks(other, best)]).toEqual([!same(best, other), false]);
      }),
    );
  });
});
