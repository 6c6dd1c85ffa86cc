// Who is admitted when, as a pure matter: never more than the number in any one second, in the order they came,
// and nobody held up for nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AdmissionPace } from '../../signalling-server/admission-pace.js';

type Deed = { readonly deed: 'come' | 'go' | 'pass'; readonly n: number };

const deeds = fc.array(
  fc.record<Deed>({
    deed: fc.constantFrom('come', 'come', 'go', 'pass', 'pass'),
    n: fc.integer({ min: 0, max: 400 }),
  }),
  { maxLength: 80 },
);

/** Plays deeds against a pace: who was admitted when, and who is left. */
function play(mostPerSecond: number, some: readonly Deed[]) {
  const pace = new AdmissionPace<number>(mostPerSecond, 0);
  const admitted: { guest: number; at: number }[] = [];
  const gone = new Set<number>();
  let now = 0;
  let came = 0;
  const admit = () => admitted.push(...pace.admit(now).map(guest => ({ guest, at: now })));
  for (const { deed, n } of some) {
    if (deed === 'come') for (let i = 0; i < n; i++) pace.enter(came++);
    else if (deed === 'go' && n < came) {
      if ([...{ [Symbol.iterator]: () => pace[Symbol.iterator]() }].includes(n)) gone.add(n);
      pace.leave(n);
    } else if (deed === 'pass') {
      for (const until = now + n * 5; now < until; ) {
        now = Math.min(until, now + Math.max(1, pace.nextInMs(now) ?? until));
        admit();
      }
    }
    admit();
  }
  return { pace, admitted, gone, came, now };
}

describe('the pace of admission', () => {
  it.each([20, 100, 1000])('%d: never more in any second, wherever it begins', most => {
    fc.assert(
      fc.property(deeds, some => {
        const { admitted } = play(most, some);
        for (const [i, { at }] of admitted.entries()) {
          const next = admitted[i + most];
          if (next) expect(next.at - at).toBeGreaterThan(1000 - 1e-6);
        }
      }),
    );
  });

  it('is that of their coming, and everybody is admitted, or has left, or waits', () => {
    fc.assert(
      fc.property(deeds, some => {
        const { admitted, gone, came, pace } = play(100, some);
        const guests = admitted.map(({ guest }) => guest);
        expect(guests).toEqual([...guests].sort((a, b) => a - b));
        expect(guests.length + gone.size + pace.size).toBe(came);
        expect(guests.some(guest => gone.has(guest))).toBe(false);
      }),
    );
  });

  it('5,000 at once are through in 53 s at 100 a second', () => {
    const { admitted } = play(100, [
      ...Array.from({ length: 50 }, () => ({ deed: 'come', n: 100 }) as const),
      { deed: 'pass', n: 12_000 },
    ]);
    expect(admitted).toHaveLength(5000);
    expect(admitted.at(-1)!.at).toBeLessThan(53_000);
  });

  it('lets the first few in at once, also after a stall, and the next one a moment later', () => {
    const pace = new AdmissionPace<number>(100, 0);
    for (let guest = 0; guest < 20; guest++) pace.enter(guest);
    expect(pace.admit(0)).toEqual([0, 1, 2, 3]);
    expect(pace.nextInMs(0)).toBeCloseTo(1000 / 95);
    expect(pace.admit(10)).toEqual([]);
    expect(pace.admit(11)).toEqual([4]);
    expect(pace.admit(5000)).toEqual([5, 6, 7, 8]);
  });

  it('is full when whoever came would wait a minute', () => {
    const pace = new AdmissionPace<number>(100, 0);
    let guests = 0;
    while (!pace.full) pace.enter(guests++);
    expect(guests).toBe(5700);
    pace.leave(17);
    expect(pace.full).toBe(false);
    expect(pace.waitMs(0)).toBe(0);
    expect(pace.waitMs(95)).toBe(1000);
  });

  it('has nothing to wait for when nobody waits', () => {
    const pace = new AdmissionPace<number>(100, 0);
    pace.enter(1);
    expect(pace.admit(0)).toEqual([1]);
    expect(pace.nextInMs(0)).toBeUndefined();
  });
});
