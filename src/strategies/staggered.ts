// Several ways to one goal, started one after another with a head start each; the first to arrive wins and
// the others are called back (RFC 8305, section 5, for addresses; the same rule for whole strategies).
import { abortError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';

export interface Race<T, R> {
  /** How long an entrant runs alone before the next starts, milliseconds; its failure ends the wait at once. */
  headStartMs(entrant: T): number;
  /** Must settle soon after its signal aborts, leaving nothing behind. */
  start(entrant: T, signal: AbortSignal): Promise<R>;
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
  const onAbort = () => controller.abort(signal!.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let winner: { result: R } | undefined;
  const failures: unknown[] = [];
  const running: Promise<void>[] = [];

  const run = async (entrant: T, index: number) => {
    try {
      const result = await race.start(entrant, controller.signal);
      if (winner || signal?.aborted) return race.discard(result);
      winner = { result };
      controller.abort(OVERTAKEN);
    } catch (error) {
      failures[index] = error;
      if (race.isFinal?.(error)) controller.abort(error);
    }
  };

  try {
    for (const [index, entrant] of entrants.entries()) {
      if (controller.signal.aborted) break;
      const current = run(entrant, index);
      running.push(current);
      if (index === entrants.length - 1) break;
      await headStart(current, race.headStartMs(entrant), clock, controller.signal);
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
