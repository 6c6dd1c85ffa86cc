// Which of the connections that came up becomes the pipe. Both sides authenticate what arrives; the initiator says
// hello on one, the first that it proved, and closes the rest; the responder takes the one that hello came on. So
// they agree whatever was lost, late, doubled or met twice: no hello, no pipe, and there is only one hello.
import { abortError } from '../errors.js';
import type { Clock } from '../net/clock.js';

/** Handshakes under way at one time: more connections than this wait for their turn. */
const MOST_AT_ONCE = 16;

export interface Nomination<Connection, Proved> {
  /** The next connection that comes up; rejects when the round's time is over. The caller owns it. */
  readonly next: (round: AbortSignal) => Promise<Connection>;
  /** Proves both identities; closes the connection when it fails or its signal aborts. */
  readonly handshake: (connection: Connection, signal: AbortSignal) => Promise<Proved>;
  readonly discard: (proved: Proved) => void;
  /** For how long one handshake is alone before the next connection is tried beside it, milliseconds. */
  readonly headStartMs: number;
  readonly clock: Clock;
  /** The time for connections to come up. One that did is heard to its end. */
  readonly round: AbortSignal;
  /** The time for everything. */
  readonly whole: AbortSignal;
}

/**
 * The first connection that was proved; every other one is closed when this settles.
 * @throws the reason of `round` when nothing came of what had come up by then, or that of `whole`.
 */
export async function nominate<Connection, Proved>(task: Nomination<Connection, Proved>): Promise<Proved> {
  const { next, handshake, discard, headStartMs, clock, round, whole } = task;
  const over = new AbortController();
  const running = new Set<Promise<void>>();
  let winner: { proved: Proved } | undefined;
  let freed = () => {};

  const prove = (connection: Connection) => {
    const proving: Promise<void> = handshake(connection, over.signal)
      .then(
        proved => {
          if (winner) return discard(proved);
          winner = { proved };
          over.abort();
        },
        () => {}, // it is closed; there may be others
      )
      .finally(() => {
        running.delete(proving);
        freed();
      });
    running.add(proving);
  };

  const onWhole = () => over.abort(whole.reason);
  whole.addEventListener('abort', onWhole, { once: true });
  try {
    if (whole.aborted) throw abortError(whole);
    using arrivals = clock.deadline(2 ** 30, [round, over.signal]);
    while (!winner && !over.signal.aborted) {
      const connection = await next(arrivals.signal).catch(() => undefined);
      if (connection === undefined) break;
      prove(connection);
      const settled = new Promise<void>(resolve => {
        freed = resolve;
      });
      using alone = clock.deadline(headStartMs, over.signal);
      const later = new Promise<void>(resolve =>
        alone.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      await Promise.race(running.size < MOST_AT_ONCE ? [settled, later] : [settled]);
    }
    await Promise.all(running);
  } finally {
    over.abort();
    whole.removeEventListener('abort', onWhole);
    await Promise.all(running);
  }
  if (winner && !whole.aborted) return winner.proved;
  if (winner) discard(winner.proved);
  throw abortError(whole.aborted ? whole : round);
}
