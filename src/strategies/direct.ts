// Direct: dial the peer where its address says it listens. Candidates are staggered as in RFC 8305, and the
// first on which the peer's identity is proved wins: on a foreign network something else may well answer.

import { WayleaveError } from '../errors.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import { dialTcp, endsOf } from '../net/sockets.js';
import { secure } from '../pipe/handshake.js';
import { type Hello, sendHello } from '../pipe/opening.js';
import { candidates, whyNoCandidate } from './candidates.js';
import { StrategyFailure } from './reasons.js';
import { staggered } from './staggered.js';
import type { Attempt, Link, Strategy } from './strategy.js';

/** RFC 8305 section 8: the recommended delay between connection attempts. */
const CONNECTION_ATTEMPT_DELAY_MS = 250;

export const direct: Strategy = {
  name: 'direct',
  budgetMs: 6000,
  headStartMs: 300, // a little over one attempt delay: the second candidate gets its chance alone, too

  assess(self, peer) {
    const best = candidates(self, peer)[0];
    if (!best) return { verdict: 'impossible', reason: whyNoCandidate(self, peer), roundTrips: 0 };
    if (!best.proved) {
      const reason = best.near === 'world' ? 'unproved-port' : 'same-outside-address';
      return { verdict: 'possible', reason, roundTrips: 3 };
    }
    if (best.near !== 'world') return { verdict: 'likely', reason: best.near, roundTrips: 3 };
    const known = peer.interfaces.some(({ tcp, mapping }) => tcp.kind === 'open' || mapping?.proved);
    return known
      ? { verdict: 'likely', reason: 'open-port', roundTrips: 3 }
      : { verdict: 'possible', reason: 'unknown-nat', roundTrips: 3 };
  },

  initiate(attempt, signal) {
    const endpoints = candidates(attempt.self, attempt.peer).map(({ endpoint }) => endpoint);
    return dialAny(endpoints, attempt, attempt.peer.id, { purpose: 'open', attempt: attempt.id }, signal);
  },
};

/**
 * Dials endpoints in turn until the expected peer answers at one. Nothing is written there but our own half of
 * the handshake before the peer has proved who it is.
 * @throws the most telling failure: that of whoever answered, else of the last that did not.
 */
export async function dialAny(
  endpoints: readonly Endpoint[],
  { identity, clock, handshakeTimeoutMs }: Pick<Attempt, 'identity' | 'clock' | 'handshakeTimeoutMs'>,
  expected: string,
  hello: Hello,
  signal: AbortSignal,
): Promise<Link> {
  try {
    return await staggered<Endpoint, Link>(endpoints, {
      headStartMs: () => CONNECTION_ATTEMPT_DELAY_MS,
      clock,
      signal,
      async start(remote, ownSignal) {
        const socket = await dialTcp({ remote, signal: ownSignal });
        const ends = endsOf(socket);
        const secured = await secure(socket, identity, {
          role: 'client',
          expected,
          signal: ownSignal,
          timeoutMs: handshakeTimeoutMs,
        });
        return {
          secured,
          ...ends,
          nominate: nominating => {
            const options = { signal: nominating, timeoutMs: handshakeTimeoutMs, waitForAccept: true };
            return sendHello(secured, hello, options);
          },
        };
      },
      discard: ({ secured }) => secured.socket.destroy(),
    });
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    throw mostTelling(error.errors, endpoints);
  }
}

function mostTelling(errors: unknown[], endpoints: readonly Endpoint[]): unknown {
  const isDial = (error: unknown) => error instanceof WayleaveError && error.code === 'dial-failed';
  const telling = errors.find(error => error !== undefined && !isDial(error)) ?? errors.findLast(Boolean);
  return telling ?? new StrategyFailure('failed', `nothing to dial among ${endpoints.map(formatEndpoint)}`);
}
