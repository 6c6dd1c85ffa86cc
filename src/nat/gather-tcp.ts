// The TCP half of a probe: the tests of RFC 5780 carried over to connections. All connections are held until
// the end, for a mapping may end with its connection. Filtering: connect, then listen on the same local port,
// then have the server dial back to where it sees that connection come from (docs/nat-behaviour.md).
import type { Socket } from 'node:net';
import type { WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { Scope } from '../net/scope.js';
import { dialTcp, listenTcp, remoteEndpoint } from '../net/sockets.js';
import { mappedAddress, successOf } from '../stun/client.js';
import { StreamStunClient } from '../stun/stream-client.js';
import { Findings, type GatherTask, orNothing, type Site, type StunServer, siteOf } from './findings.js';
import { portPattern } from './port-pattern.js';
import type { FilteringSample, MappingSample, Samples } from './samples.js';

const MAX_SERVERS = 4;
/** Three fresh local ports and one more destination. */
const EARLY_SAMPLES = 4;
/** The kernel repeats a lost SYN after 1 s only; until then another local port is tried as often as this. */
const REDIAL_EVERY_MS = 300;
const MAX_DIALS = 8;
const HAIRPIN_DIALS = 2;
const HAIRPIN_EVERY_MS = 60;
const HAIRPIN_WAIT_MS = 150;

interface Path {
  readonly found: Findings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly localAddress: string;
  /** Owns every connection until the probe is over. */
  readonly scope: Scope;
}

export async function gatherTcp(task: GatherTask, clock: Clock): Promise<Samples> {
  const { localAddress, signal } = task;
  const found = new Findings('tcp', localAddress);
  await using scope = new Scope();
  const path: Path = { found, clock, signal, localAddress, scope };
  // In the order in which mappings were made, which is not the order in which their answers come.
  const asked: Promise<MappingSample | undefined>[] = [];
  const note = (client: StreamStunClient | undefined) => {
    if (client) asked.push(mappingSeenBy(client, signal));
    return client;
  };

  const first = await contact(task.servers.slice(0, MAX_SERVERS), path);
  if (!first) return found.samples();
  const site = orNothing(siteSeenBy(first, signal));
  note(first);

  const second = note(await dialFresh(first.server, path));
  const filtering = second && orNothing(testFiltering(second, site, path));
  note(await dialFresh(first.server, path));
  const { otherPort, otherAddress } = (await site) ?? {};
  for (const corner of [otherPort, otherAddress]) {
    if (corner) note(await dialFrom(first.local.port, corner, path));
  }
  // What preserves ports, or gives each destination its own, has shown enough by now.
  const early = await Promise.all(asked.slice(0, EARLY_SAMPLES));
  if (portPattern(early.filter(sample => sample !== undefined)).pattern === 'unknown') {
    note(await dialFresh(first.server, path));
  }
  found.mapping.push(...(await Promise.all(asked)).filter(sample => sample !== undefined));
  await filtering;
  return found.samples();
}

/** Connects to all servers at once and keeps the first that answers; the rest are dead, slow or not needed. */
async function contact(servers: readonly StunServer[], path: Path): Promise<StreamStunClient | undefined> {
  const { found } = path;
  const enough = new AbortController();
  const stop = () => enough.abort();
  path.signal.addEventListener('abort', stop, { once: true });
  let first: StreamStunClient | undefined;
  await Promise.all(
    servers.map(async ({ endpoint }) => {
      const dialled = await dialRepeatedly(endpoint, { ...path, signal: enough.signal });
      if (dialled.client) {
        first ??= dialled.client;
        stop();
      } else if (!first)
        found.unheard.push({ how: dialled.refused ? 'refused' : 'silent', sends: dialled.dials });
    }),
  );
  path.signal.removeEventListener('abort', stop);
  return first;
}

async function dialFresh(server: Endpoint, path: Path): Promise<StreamStunClient | undefined> {
  return (await dialRepeatedly(server, path)).client;
}

/** A connection from a fresh local port; should its SYN get lost, from another one. */
async function dialRepeatedly(
  server: Endpoint,
  { found, clock, signal, localAddress, scope }: Path,
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
async function dialFrom(
  localPort: number,
  server: Endpoint,
  path: Path,
): Promise<StreamStunClient | undefined> {
  const { clock, signal, localAddress, scope } = path;
  const client = await orNothing(StreamStunClient.open({ server, localAddress, localPort, clock, signal }));
  return client && scope.use(client);
}

async function siteSeenBy(client: StreamStunClient, signal: AbortSignal): Promise<Site> {
  return siteOf(client.server, successOf(await client.request({}, { signal })));
}

async function mappingSeenBy(
  client: StreamStunClient,
  signal: AbortSignal,
): Promise<MappingSample | undefined> {
  const answer = await orNothing(client.request({}, { signal }));
  const mapped = answer && (await orNothing((async () => mappedAddress(successOf(answer)))()));
  return mapped && { local: client.local, server: client.server, mapped };
}

/** Whoever connects to the local port of `held`, which is open to all that the NAT lets in. */
async function testFiltering(
  held: StreamStunClient,
  site: Promise<Site | undefined>,
  path: Path,
): Promise<void> {
  const { found, signal, localAddress, scope } = path;
  const callers = new Set<string>();
  const heard = { caller: (_host: string) => {} };
  const onConnection = (socket: Socket) => {
    const from = remoteEndpoint(socket);
    socket.on('error', () => {});
    socket.destroy();
    if (!from) return;
    callers.add(from.host);
    heard.caller(from.host);
  };
  scope.use(await listenTcp({ host: localAddress, port: held.local.port }, onConnection));

  const dialBack = async (change: FilteringSample['change']) => {
    const value = { address: change === 'address', port: true };
    const answer = await held.request({ attributes: [['CHANGE-REQUEST', value]] }, { signal });
    const result = successOf(answer).get('DIAL-BACK');
    if (!result || result.outcome === 'not-tried') return;
    const outcome = result.outcome === 'connected' ? 'passed' : result.outcome;
    found.filtering.push({ server: held.server, change, outcome, tries: result.tries });
  };
  await Promise.all([orNothing(dialBack('address')), orNothing(dialBack('port'))]);
  // The server's word may be lost; its call is proof too.
  const other = (await site)?.otherAddress?.host;
  for (const { change, host } of [
    { change: 'address' as const, host: other },
    { change: 'port' as const, host: held.server.host },
  ]) {
    const told = found.filtering.some(sample => sample.change === change);
    if (!told && host !== undefined && callers.has(host)) {
      found.filtering.push({ server: held.server, change, outcome: 'passed', tries: 1 });
    }
  }

  const sample = await orNothing(mappingSeenBy(held, signal));
  const translated =
    sample && (sample.mapped.host !== sample.local.host || sample.mapped.port !== sample.local.port);
  if (!translated || signal.aborted) return;
  // The server may still be dialling: its SYN, lost at first, comes again when all is said.
  await testHairpin(sample.mapped, [held.server.host, other], heard, path);
}

async function testHairpin(
  external: Endpoint,
  strangers: readonly (string | undefined)[],
  heard: { caller: (host: string) => void },
  path: Path,
): Promise<void> {
  const { found, clock, signal, localAddress } = path;
  const settled = new AbortController();
  let passed = false;
  heard.caller = host => {
    if (strangers.includes(host)) return;
    passed = true;
    settled.abort();
  };
  const stop = () => settled.abort();
  signal.addEventListener('abort', stop, { once: true });
  const dials: Promise<unknown>[] = [];
  for (let i = 0; i < HAIRPIN_DIALS && !settled.signal.aborted; i++) {
    const dial = dialTcp({ remote: external, localAddress, signal: settled.signal });
    dials.push(orNothing(dial.then(socket => socket.on('error', () => {}).destroy())));
    await clock.sleep(HAIRPIN_EVERY_MS, settled.signal).catch(() => {});
  }
  await clock.sleep(HAIRPIN_WAIT_MS, settled.signal).catch(() => {});
  stop();
  await Promise.all(dials);
  signal.removeEventListener('abort', stop);
  if (passed || !signal.aborted) found.hairpin = { passed, tries: dials.length };
}
