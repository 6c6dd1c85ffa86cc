// Rounds of hole punching, several of which may be under way at once: where SYNs or messages get lost, a new pair of
// ports is there sooner than the kernel repeats them (after 1 s, then 3 s; RFC 6298 section 5.7 makes such a connection
// slow beyond that). One hello nominates one connection of one round, so both sides always end with the same.
import { setMaxListeners } from 'node:events';
import { abortError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import { StrategyFailure } from './reasons.js';
import { OVERTAKEN, staggered } from './staggered.js';
import type { Link } from './strategy.js';

/** As many numbers as the messages have for them: signalling/messages.ts. */
const ROUNDS = [1, 2, 3, 4, 5];
/** A round takes four round trips between the nodes, which are about as many to the server; then it has met loss. */
const LATE = { ms: 500, roundTrips: 5 } as const;

interface Rounds {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface Initiating extends Rounds {
  /** Whether a round may begin while another is under way: not where it would spoil what that one predicted. */
  readonly overlap: boolean;
  roundTripMs(signal: AbortSignal): Promise<number>;
  /** Whether there is nothing left to try with. */
  isSpent(): boolean;
  play(round: number, signal: AbortSignal): Promise<Link>;
}

/** @throws StrategyFailure `hole-not-made`, what made further rounds useless, or the abort error. */
export async function initiateRounds(rounds: Initiating): Promise<Link> {
  const { overlap, clock, signal, isSpent } = rounds;
  const serverMs = await rounds.roundTripMs(signal);
  const headStartMs = overlap ? LATE.ms + LATE.roundTrips * serverMs : Number.POSITIVE_INFINITY;
  try {
    return await staggered<number, Link>(ROUNDS, {
      headStartMs: () => headStartMs,
      start: (round, within) => rounds.play(round, within),
      isFinal: error => !isOutOfTime(error) || isSpent(),
      discard,
      clock,
      signal,
    });
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    const telling = error.errors.find(each => each !== undefined && !isOutOfTime(each) && !isOver(each));
    throw telling ?? new StrategyFailure('hole-not-made');
  }
}

interface Responding<Offer> extends Rounds {
  readonly first: Offer;
  /** The offer that begins a round after this one. */
  next(offer: Offer, signal: AbortSignal): Promise<Offer>;
  play(offer: Offer, signal: AbortSignal): Promise<Link>;
}

/** Plays each round that the initiator begins, until one of its connections is nominated. @throws as `initiateRounds`. */
export async function respondToRounds<Offer>(rounds: Responding<Offer>): Promise<Link> {
  const { clock, signal } = rounds;
  const over = new AbortController();
  using life = clock.deadline(2 ** 30, [signal, over.signal]);
  setMaxListeners(0, life.signal); // a few in each round
  let link: Link | undefined;
  const play = async (offer: Offer) => {
    try {
      const met = await rounds.play(offer, life.signal);
      if (link) discard(met);
      else over.abort(OVERTAKEN);
      link ??= met;
    } catch (error) {
      if (!isOutOfTime(error)) over.abort(error); // nothing better will come of another round
    }
  };
  const playing: Promise<void>[] = [];
  try {
    for (let offer = rounds.first; ; offer = await rounds.next(offer, life.signal)) playing.push(play(offer));
  } catch (error) {
    over.abort(error); // one round has met or failed, or the initiator has given up, or it is too late
  }
  await Promise.all(playing);
  if (link && !signal.aborted) return link;
  if (link) discard(link);
  throw abortError(life.signal);
}

const isOutOfTime = (error: unknown) => error instanceof WayleaveError && error.code === 'timeout';
const isOver = (error: unknown) => error instanceof WayleaveError && error.code === 'aborted';
const discard = ({ secured }: Link) => void secured.socket.destroy();
