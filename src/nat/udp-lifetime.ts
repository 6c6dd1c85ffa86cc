// For how long a NAT remembers a UDP mapping that nobody uses (RFC 4787 section 4.3, RFC 5780 section 4.6). Each
// of several idle sockets asks for one answer after its own delay: the longest delay whose answer still comes in
// is a lower bound, the shortest whose does not an upper one. Takes as long as the longest delay: minutes.
import { setMaxListeners } from 'node:events';
import { abortError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import { rfcSchedule, type Schedule } from '../stun/transaction.js';
import { UdpStunClient } from '../stun/udp-client.js';
import { orNothing } from './findings.js';

export interface UdpLifetime {
  /** Idle mappings live at least this long, in seconds; 0: shorter than the shortest delay. */
  readonly atLeastS: number;
  /** And less than this; null: longer than the longest delay. */
  readonly lessThanS: number | null;
}

export interface UdpLifetimeOptions {
  /** A server of ours: others answer at once, and then the result is undefined. */
  readonly server: Endpoint;
  readonly localAddress: string;
  /** Default: 15, 30, 60, 120, 180 and 300. At most 10 of them, 1 to 600 each. */
  readonly delaysS?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

const DELAYS_S = [15, 30, 60, 120, 180, 300];
/** Each delay is tried from two sockets at once: one lost packet must not pass for a lost mapping. */
const SOCKETS = 2;
const FIRST: Schedule = rfcSchedule(250, 4, 2);
const GRACE_MS = 1_500;
/** First contact and grace: nothing takes longer than the longest delay and this. */
const SLACK_MS = 10_000;

/**
 * Undefined when the server does not answer, answers too early, or the answers contradict each other.
 * @throws WayleaveError the signal's abort error.
 */
export async function measureUdpLifetime(options: UdpLifetimeOptions): Promise<UdpLifetime | undefined> {
  const { server, localAddress, clock = systemClock } = options;
  const delaysS = [...(options.delaysS ?? DELAYS_S)].slice(0, 10).sort((a, b) => a - b);
  if (options.signal?.aborted) throw abortError(options.signal);
  using deadline = clock.deadline((delaysS.at(-1) ?? 0) * 1_000 + SLACK_MS, options.signal);
  const { signal } = deadline;
  setMaxListeners(0, signal); // every request listens to it
  await using scope = new Scope();

  /** Whether the answer came after this delay; undefined when nothing can be said. */
  const survives = async (seconds: number): Promise<boolean | undefined> => {
    const client = await UdpStunClient.open({ family: familyOf(localAddress), address: localAddress, clock });
    scope.use(client);
    const reached = await orNothing(client.request(server, {}, { schedule: FIRST, signal }));
    if (!reached) return undefined;
    const askedMs = clock.now();
    // Never repeated: a second packet would renew the mapping that is to be left alone.
    const schedule = { sendAtMs: [0], giveUpMs: seconds * 1_000 + GRACE_MS };
    const attributes = [['ANSWER-AFTER', seconds] as const];
    const answer = await orNothing(client.request(server, { attributes }, { schedule, signal }));
    if (!answer) return false;
    return clock.now() - askedMs >= seconds * 900 ? true : undefined;
  };

  const outcomes = await Promise.all(
    delaysS.map(async seconds => {
      const both = await Promise.all(Array.from({ length: SOCKETS }, () => survives(seconds)));
      return { seconds, survived: both.includes(true) ? true : both.includes(undefined) ? undefined : false };
    }),
  );
  if (options.signal?.aborted) throw abortError(options.signal);
  const alive = outcomes.filter(({ survived }) => survived === true).map(({ seconds }) => seconds);
  const gone = outcomes.filter(({ survived }) => survived === false).map(({ seconds }) => seconds);
  const atLeastS = Math.max(0, ...alive);
  const lessThanS = gone.length > 0 ? Math.min(...gone) : null;
  if (alive.length + gone.length === 0 || (lessThanS !== null && lessThanS <= atLeastS)) return undefined;
  return { atLeastS, lessThanS };
}
