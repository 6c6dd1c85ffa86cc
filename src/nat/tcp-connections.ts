// The connections of a TCP probe, and what is seen over them. The kernel repeats a lost SYN only after a second, so
// a fresh connection is tried from one local port after another until one is there.
import type { WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import type { Scope } from '../net/scope.js';
import { mappedAddress, successOf } from '../stun/client.js';
import { StreamStunClient } from '../stun/stream-client.js';
import { type Findings, orNothing } from './findings.js';
import type { MappingSample } from './samples.js';

const REDIAL_EVERY_MS = 300;
const MAX_DIALS = 8;

/** From where, for how long, and for whom. */
export interface TcpPath {
  readonly found: Findings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly localAddress: string;
  /** Owns every connection until the probe is over. */
  readonly scope: Scope;
}

export async function dialFresh(server: Endpoint, path: TcpPath): Promise<StreamStunClient | undefined> {
  return (await dialRepeatedly(server, path)).client;
}

/** A connection from a fresh local port; should its SYN get lost, from another one. */
export async function dialRepeatedly(
  server: Endpoint,
  { found, clock, signal, localAddress, scope }: TcpPath,
): Promise<{ client?: StreamStunClient; dials: number; refused: boolean }> {
  const settled = new AbortController();
  const stop = () => settled.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const everyMs = found.roundTripMs === undefined ? REDIAL_EVERY_MS : Math.max(120, 3 * found.roundTripMs);
  let client: StreamStunClient | undefined;
  let refused = false;
  let dials = 0;
  const dial = async () => {
    const startMs = clock.now();
    try {
      const opened = await StreamStunClient.open({ server, localAddress, clock, signal: settled.signal });
      scope.use(opened);
      client ??= opened;
      found.roundTripMs = Math.min(found.roundTripMs ?? Number.POSITIVE_INFINITY, clock.now() - startMs);
      stop();
    } catch (error) {
      const code = ((error as WayleaveError).cause as NodeJS.ErrnoException | undefined)?.code;
      if (code === undefined) return; // cancelled
      refused ||= code === 'ECONNREFUSED' || code === 'ECONNRESET';
      stop();
    }
  };
  const all: Promise<void>[] = [];
  while (dials < MAX_DIALS && !settled.signal.aborted) {
    dials++;
    all.push(dial());
    await clock.sleep(everyMs, settled.signal).catch(() => {});
  }
  if (!settled.signal.aborted) await Promise.race(all);
  stop();
  await Promise.all(all);
  signal.removeEventListener('abort', stop);
  if (client) found.note(dials, 1);
  return { ...(client ? { client } : {}), dials, refused };
}

/** A connection from a given local port, which others may use already. */
export async function dialFrom(
  localPort: number,
  server: Endpoint,
  path: TcpPath,
): Promise<StreamStunClient | undefined> {
  const { clock, signal, localAddress, scope } = path;
  const client = await orNothing(StreamStunClient.open({ server, localAddress, localPort, clock, signal }));
  return client && scope.use(client);
}

/** Where the server sees this connection come from. */
export async function mappingSeenBy(
  client: StreamStunClient,
  signal: AbortSignal,
): Promise<MappingSample | undefined> {
  const answer = await orNothing(client.request({}, { signal }));
  const mapped = answer && (await orNothing((async () => mappedAddress(successOf(answer)))()));
  return mapped && { local: client.local, server: client.server, mapped };
}
