// Where TCP gets out to: some networks let nothing out but the web. A server that answers at one of the web's ports is
// tried at its other port as well, and silence there is the network's doing if no loss can explain it.
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { isWebPort } from './profile.js';
import { dialRepeatedly, type TcpPath } from './tcp-connections.js';

/** A first SYN may be on its way for so long before it is taken for lost, milliseconds; at least three round trips. */
const PATIENCE_MS = 300;
/** Time for further SYNs, milliseconds. */
const LIMIT_MS = 1000;

/**
 * Watches a connection to another port of a server that answers; where it keeps silent, tries again from fresh ports
 * (not before: they would come between samples that tell how ports are given).
 * @returns whether nothing gets out to such ports.
 */
export async function shutIn(first: Promise<unknown>, corner: Endpoint, path: TcpPath): Promise<boolean> {
  const { found, clock, signal } = path;
  if (isWebPort(corner.port)) return false;
  if (await comesWithin(Math.max(PATIENCE_MS, 3 * (found.roundTripMs ?? 0)), first, clock)) {
    found.beyondWeb = { passed: true, tries: 1 };
    return false;
  }
  using limit = clock.deadline(LIMIT_MS, signal);
  const { client, dials, refused } = await dialRepeatedly(corner, { ...path, signal: limit.signal });
  if (!refused) found.beyondWeb = { passed: client !== undefined, tries: 1 + dials };
  return client === undefined && !refused;
}

async function comesWithin(ms: number, value: Promise<unknown>, clock: Clock): Promise<boolean> {
  const waiting = new AbortController();
  const over = clock.sleep(ms, waiting.signal).catch(() => undefined);
  const came = await Promise.race([value, over]);
  waiting.abort();
  return came !== undefined;
}
