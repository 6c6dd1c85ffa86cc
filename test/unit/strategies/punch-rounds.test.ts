// Rounds beside each other: when the next one begins, what ends them all, and that only one link is kept.
import { beforeEach, describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { initiateRounds, respondToRounds } from '../../../src/strategies/punch-rounds.js';
import { StrategyFailure } from '../../../src/strategies/reasons.js';
import type { Link } from '../../../src/strategies/strategy.js';
import { FakeClock } from '../../fake-clock.js';

const SERVER_MS = 40;
const LATE_MS = 500 + 5 * SERVER_MS;
const never = new AbortController().signal;
const tooLate = () => new WayleaveError('timeout', 'nothing came up');

let clock: FakeClock;
let begun: string[];
let closed: number[];
beforeEach(() => {
  clock = new FakeClock();
  begun = [];
  closed = [];
});

const link = (number: number) =>
  ({ number, secured: { socket: { destroy: () => closed.push(number) } } }) as unknown as Link;
const numberOf = (met: Link) => (met as Link & { number: number }).number;

/** Round n meets or fails after so many milliseconds. */
type Fate = { readonly afterMs: number; readonly fails?: Error };

async function play(round: number, fates: readonly Fate[], signal: AbortSignal): Promise<Link> {
  begun.push(`${clock.now()} ${round}`);
  const { afterMs, fails } = fates[round - 1] ?? { afterMs: 3300, fails: tooLate() };
  await clock.sleep(afterMs, signal);
  if (fails) throw fails;
  return link(round);
}

const initiate = (fates: readonly Fate[], more: { overlap?: boolean; isSpent?: () => boolean } = {}) => {
  const rounds = initiateRounds({
    overlap: true,
    isSpent: () => false,
    roundTripMs: async () => SERVER_MS,
    play: (round, within) => play(round, fates, within),
    clock,
    signal: never,
    ...more,
  });
  rounds.catch(() => {});
  return rounds;
};

describe('the initiator', () => {
  it('begins another round when one is late, and keeps both until one has met', async () => {
    const met = initiate([{ afterMs: 900 }, { afterMs: 5000 }]);
    await clock.advance(1000);
    expect(begun).toEqual(['0 1', `${LATE_MS} 2`]);
    expect(numberOf(await met)).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('ends after five rounds that met nobody', async () => {
    const met = initiate([]);
    await clock.advance(10_000);
    await expect(met).rejects.toMatchObject({ reason: 'hole-not-made' });
    expect(begun).toHaveLength(5);
  });

  it('waits for the end of a round that another would spoil', async () => {
    const met = initiate([{ afterMs: 3300, fails: tooLate() }, { afterMs: 100 }], { overlap: false });
    await clock.advance(3500);
    expect(begun).toEqual(['0 1', '3300 2']);
    expect(numberOf(await met)).toBe(2);
  });

  it('gives up at once with what no other round would change, and when nothing is left to try with', async () => {
    const refused = initiate([{ afterMs: 100, fails: new StrategyFailure('peer-refused') }]);
    await clock.advance(200);
    await expect(refused).rejects.toMatchObject({ reason: 'peer-refused' });
    const spent = initiate([{ afterMs: 100, fails: tooLate() }], { isSpent: () => true });
    await clock.advance(200);
    await expect(spent).rejects.toMatchObject({ reason: 'hole-not-made' });
    expect(begun).toHaveLength(2);
  });
});

describe('the responder', () => {
  /** Offers arrive at these times, one a round. */
  const respond = (arrivals: readonly number[], fates: readonly Fate[], signal = never) => {
    const rounds = respondToRounds<number>({
      first: 1,
      next: async (round, within) => {
        await clock.sleep((arrivals[round] ?? 60_000) - clock.now(), within);
        return round + 1;
      },
      play: (round, within) => play(round, fates, within),
      clock,
      signal,
    });
    rounds.catch(() => {});
    return rounds;
  };

  it('plays every round until one of them is nominated', async () => {
    const met = respond([0, 700, 1400], [{ afterMs: 1000 }, { afterMs: 5000 }]);
    await clock.advance(1000);
    expect(numberOf(await met)).toBe(1);
    expect(begun).toEqual(['0 1', '700 2']);
    expect(clock.pending).toBe(0);
  });

  it('outlasts a round that met nobody', async () => {
    const met = respond([0, 700], [{ afterMs: 300, fails: tooLate() }, { afterMs: 100 }]);
    await clock.advance(1000);
    expect(numberOf(await met)).toBe(2);
  });

  it('ends all with what no other round would change', async () => {
    const met = respond(
      [0, 700],
      [{ afterMs: 5000 }, { afterMs: 100, fails: new StrategyFailure('policy-refused') }],
    );
    await clock.advance(1000);
    await expect(met).rejects.toMatchObject({ reason: 'policy-refused' });
    expect(clock.pending).toBe(0);
  });

  it('closes what it has when it is called back', async () => {
    const controller = new AbortController();
    const met = respond([0], [{ afterMs: 100 }], controller.signal);
    controller.abort();
    await clock.advance(200);
    await expect(met).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.pending).toBe(0);
  });
});
