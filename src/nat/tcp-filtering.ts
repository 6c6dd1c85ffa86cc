// What comes in uninvited over TCP: "connect first, listen later" on the port of a connection that the server sees
// the outside of, and have the server dial back to it; then dial it ourselves, for hairpinning (docs/nat-behaviour.md).
import type { Socket } from 'node:net';
import type { Endpoint } from '../net/endpoint.js';
import { dialTcp, listenTcp, remoteEndpoint } from '../net/sockets.js';
import { successOf } from '../stun/client.js';
import type { StreamStunClient } from '../stun/stream-client.js';
import { orNothing, type Site } from './findings.js';
import type { FilteringSample } from './samples.js';
import { mappingSeenBy, type TcpPath } from './tcp-connections.js';

const HAIRPIN_DIALS = 2;
const HAIRPIN_EVERY_MS = 60;
const HAIRPIN_WAIT_MS = 150;
/** After a stall of this process timers run before what has arrived is read: let that come first. */
const READ_FIRST_MS = 1;

/** Whoever connects to the local port of `held`, which is open to all that the NAT lets in. */
export async function testFiltering(
  held: StreamStunClient,
  site: Promise<Site | undefined>,
  path: TcpPath,
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

  const localPort = held.local.port;
  const dialBack = async (change: FilteringSample['change']) => {
    const value = { address: change === 'address', port: true };
    const answer = await held.request({ attributes: [['CHANGE-REQUEST', value]] }, { signal });
    const result = successOf(answer).get('DIAL-BACK');
    if (!result || result.outcome === 'not-tried') return;
    const outcome = result.outcome === 'connected' ? 'passed' : result.outcome;
    found.filtering.push({ server: held.server, change, localPort, outcome, tries: result.tries });
  };
  await Promise.all([orNothing(dialBack('address')), orNothing(dialBack('port'))]);
  // The server's word may be lost; its call is proof too.
  const other = (await site)?.otherAddress?.host;
  for (const { change, host } of [
    { change: 'address' as const, host: other },
    { change: 'port' as const, host: held.server.host },
  ]) {
    const told = found.filtering.some(each => each.change === change && each.localPort === localPort);
    if (!told && host !== undefined && callers.has(host)) {
      found.filtering.push({ server: held.server, change, localPort, outcome: 'passed', tries: 1 });
    }
  }

  const sample = await orNothing(mappingSeenBy(held, signal));
  const translated =
    sample && (sample.mapped.host !== sample.local.host || sample.mapped.port !== sample.local.port);
  if (!translated || signal.aborted || found.hairpin) return;
  found.hairpin = { passed: false, tries: 0 }; // begun: once is enough
  // The server may still be dialling: its SYN, lost at first, comes again when all is said.
  await testHairpin(sample.mapped, [held.server.host, other], heard, path);
}

async function testHairpin(
  external: Endpoint,
  strangers: readonly (string | undefined)[],
  heard: { caller: (host: string) => void },
  path: TcpPath,
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
  for (const waitMs of [HAIRPIN_WAIT_MS, READ_FIRST_MS]) {
    await clock.sleep(waitMs, settled.signal).catch(() => {});
  }
  stop();
  await Promise.all(dials);
  signal.removeEventListener('abort', stop);
  if (passed || !signal.aborted) found.hairpin = { passed, tries: dials.length };
}
