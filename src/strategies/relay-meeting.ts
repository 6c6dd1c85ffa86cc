// How the two ends of a relayed connection come to each other: at a server that both have, by allocations that carry
// the same, and with a few tries where a permission may still be on its way.
import { WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import type { RelayEnd, RelayOptions } from '../turn/relay-stream.js';
import { TurnError } from '../turn/turn-error.js';
import type { TurnServer } from '../turn/turn-server.js';

/** Waits before the second and later tries: a lost packet is sent again after 200 ms at the earliest. */
const RETRIES_MS = [100, 200, 400, 800, 1_600];

/** Those of our servers that the peer has as well; all of ours when there are none: relays reach each other too. */
export function inCommon(ours: readonly TurnServer[], theirs: readonly Endpoint[]): readonly TurnServer[] {
  const hosts = new Set(theirs.map(({ host }) => host));
  const common = ours.filter(({ endpoint }) => hosts.has(endpoint.host));
  return common.length > 0 ? common : ours;
}

/**
 * A TCP allocation where a server has them, else one for datagrams.
 * @param only what it must carry, when the peer has decided.
 * @throws WayleaveError as `openRelay`.
 */
export async function allocate(
  servers: readonly TurnServer[],
  options: Pick<RelayOptions, 'signal' | 'keepAliveMs'>,
  only?: RelayEnd['relayedTransport'],
): Promise<RelayEnd> {
  const { openRelay } = await import('../turn/relay-stream.js'); // for those who must, not for everybody
  if (only !== undefined) return await openRelay(servers, { ...options, relayed: only });
  try {
    return await openRelay(servers, { ...options, relayed: 'tcp' });
  } catch (error) {
    const canFallBack =
      error instanceof WayleaveError && error.code !== 'aborted' && !options.signal?.aborted;
    if (!canFallBack) throw error;
    return await openRelay(servers, { ...options, relayed: 'udp' });
  }
}

/**
 * Tries to get in at the peer's relayed address. Its permission for us left before we heard of the address, by another
 * way: where it is late, a server answers that it could not connect (447), or takes the connection and drops it.
 */
export async function untilAdmitted<T>(
  clock: Clock,
  signal: AbortSignal,
  connect: () => Promise<T>,
): Promise<T> {
  for (const waitMs of RETRIES_MS) {
    try {
      return await connect();
    } catch (error) {
      if (signal.aborted || !isTooEarly(error)) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
  return await connect();
}

function isTooEarly(error: unknown): boolean {
  // 446: the server has not done yet with the connection of the try before
  if (error instanceof TurnError) return error.number === 447 || error.number === 446;
  return error instanceof WayleaveError && error.code === 'handshake-failed';
}
