// Several ways to one goal, started one after another with a head start each; the first to arrive wins and
// the others are called back (RFC 8305, section 5, for addresses; the same rule for whole strategies).
import { setMaxListeners } from 'node:events';
import { abortError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';

export interface Race<T, R> {
  /** How long an entrant runs alone before the next starts, milliseconds; its failure ends the wait at once. */
  headStartMs(entrant: T): number;
  /** How long before the end of that head start this one may begin, milliseconds: at most in its second half. */
  leadMs?(entrant: T): number;
  /**
   * Must settle soon after its signal aborts, leaving nothing behind.
   * @param turn never rejects; an entrant that began early wins nothing before it resolves.
   */
  start(entrant: T, signal: AbortSignal, turn: Promise<void>): Promise<R>;
  /** Whether this failure of one entrant ends the race for all. */
  isFinal?(error: unknown): boolean;
  /** Releases a result that came too late. */
  discard(result: R): void;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Why the losers of a race were aborted. */
export const OVERTAKEN = new WayleaveError('aborted', 'another way was faster');

/**
 * Resolves with the first result, after every loser has settled.
 * @throws AggregateError of all failures in the order of the entrants, or the signal's abort error.
 */
export async function staggered<T, R>(entrants: readonly T[], race: Race<T, R>): Promise<R> {
  const { clock, signal } = race;
  if (signal?.aborted) throw abortError(signal);
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // a few for each entrant
  const onAbort = () => controller.abort(signal!.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let winner: { result: R } | undefined;
  const failures: unknown[] = [];
  const running: Promise<void>[] = [];

  const run = async (entrant: T, index: number, turn: Promise<void>) => {
    try {
      const result = await race.start(entrant, controller.signal, turn);
      if (winner || signal?.aborted) return race.discard(result);
      winner = { result };
      controller.abort(OVERTAKEN);
    } catch (error) {
      failures[index] = error;
      if (race.isFinal?.(error)) controller.abort(error);
    }
  };

  try {
    let turn: Promise<void> = Promise.resolve();
    for (const [index, entrant] of entrants.entries()) {
      if (controller.signal.aborted) break;
      const current = run(entrant, index, turn);
      running.push(current);
      const next = entrants[index + 1];
      if (next === undefined) break;
      await turn;
      const headStartMs = race.headStartMs(entrant);
      const leadMs = Math.min(race.leadMs?.(next) ?? 0, headStartMs / 2);
      await headStart(current, headStartMs - leadMs, clock, controller.signal);
      turn = headStart(current, leadMs, clock, controller.signal);
    }
    await Promise.all(running);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  if (winner) return winner.result;
  if (signal?.aborted) throw abortError(signal);
  throw new AggregateError(failures, 'every way failed');
}

async function headStart(
  current: Promise<void>,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([current, clock.sleep(ms, waiting.signal).catch(() => {})]);
  signal.removeEventListener('abort', stop);
  stop();
}
