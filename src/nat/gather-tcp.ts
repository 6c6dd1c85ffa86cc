// The TCP half of a probe: the tests of RFC 5780 carried over to connections. All connections are held until
// the end, for a mapping may end with its connection. Filtering: connect, then listen on the same local port,
// then have the server dial back to where it sees that connection come from (docs/nat-behaviour.md).
import type { Clock } from '../net/clock.js';
import { Scope } from '../net/scope.js';
import { successOf } from '../stun/client.js';
import type { StreamStunClient } from '../stun/stream-client.js';
import {
  bestSite,
  Findings,
  type GatherTask,
  orNothing,
  type Site,
  type StunServer,
  siteOf,
} from './findings.js';
import { isWebPort } from './profile.js';
import type { Samples } from './samples.js';
import { punchOneself } from './self-punch.js';
import { dialFresh, dialFrom, dialRepeatedly, mappingSeenBy, type TcpPath } from './tcp-connections.js';
import { shutIn } from './tcp-egress.js';
import { testFiltering } from './tcp-filtering.js';

const MAX_SERVERS = 4;

export async function gatherTcp(task: GatherTask, clock: Clock): Promise<Samples> {
  const { localAddress, signal } = task;
  const found = new Findings('tcp', localAddress);
  await using scope = new Scope();
  const path: TcpPath = { found, clock, signal, localAddress, scope };
  const pending: Promise<void>[] = [];
  /** Dials, and has what the server sees written down in this place of the order, whenever it comes. */
  const mapped = async (dialling: Promise<StreamStunClient | undefined>) => {
    const place = found.nextMapping();
    const client = await dialling;
    if (client) pending.push(mappingSeenBy(client, signal).then(sample => sample && place(sample)));
    return client;
  };

  const [first, ...others] = await contact(task.servers.slice(0, MAX_SERVERS), path);
  if (!first) return found.samples();
  await mapped(Promise.resolve(first));
  const site = orNothing(siteSeenBy(first, signal));
  const filtering = async (held: StreamStunClient | undefined) => {
    if (held) await orNothing(testFiltering(held, site, path));
  };

  const second = await mapped(dialFresh(first.server, path));
  pending.push(filtering(second));
  // These two at once, in a known order: other hosts' mappings hardly ever come between them.
  const fresh = [mapped(dialFresh(first.server, path)), mapped(dialFresh(first.server, path))];
  const [third, fourth] = await Promise.all(fresh);
  pending.push(filtering(third));
  const { otherPort, otherAddress } = (await site) ?? {};
  if (!isWebPort(first.server.port)) found.beyondWeb = { passed: true, tries: 1 };
  const shut = new AbortController();
  using beyond = clock.deadline(2 ** 30, [signal, shut.signal]);
  for (const corner of [otherPort, otherAddress, ...others.map(({ server }) => server)]) {
    if (!corner) continue;
    const within = isWebPort(corner.port) ? signal : beyond.signal;
    const dialled = mapped(dialFrom(first.local.port, corner, { ...path, signal: within }));
    if (corner === otherPort && !found.beyondWeb)
      pending.push(shutIn(dialled, corner, path).then(yes => void (yes && shut.abort())));
    await dialled;
  }
  if (fourth && !found.hairpin?.passed) pending.push(punchOneself(first, fourth, path));
  await Promise.all(pending);
  return found.samples();
}

/** Connects to all servers at once; a connection to each that answers in time, to the one that shows most first. */
async function contact(servers: readonly StunServer[], path: TcpPath): Promise<StreamStunClient[]> {
  const { found, clock } = path;
  const enough = new AbortController();
  const stop = () => enough.abort();
  path.signal.addEventListener('abort', stop, { once: true });
  const clients: StreamStunClient[] = [];
  await Promise.all(
    servers.map(async ({ endpoint }) => {
      const { client, refused, dials } = await dialRepeatedly(endpoint, { ...path, signal: enough.signal });
      if (!client) return void found.unheard.push({ how: refused ? 'refused' : 'silent', sends: dials });
      clients.push(client);
      // The others get a little more time, so that they may vote, but nobody waits for a dead one.
      const patienceMs = 2 * (found.roundTripMs ?? 0) + 20;
      if (clients.length < servers.length) await clock.sleep(patienceMs, enough.signal).catch(() => {});
      stop();
    }),
  );
  path.signal.removeEventListener('abort', stop);
  if (clients.length < 2) return clients;
  const sites = await Promise.all(clients.map(client => orNothing(siteSeenBy(client, path.signal))));
  const best = bestSite(sites);
  return clients.sort((a, b) => Number(b.server === best?.main) - Number(a.server === best?.main));
}

async function siteSeenBy(client: StreamStunClient, signal: AbortSignal): Promise<Site> {
  return siteOf(client.server, successOf(await client.request({}, { signal })));
}
