// The STUN server that a wayleave server brings along: UDP and TCP on two ports, and with an alternate host on
// two addresses, which is what behaviour discovery needs (RFC 8489, RFC 5780). Stateless on UDP; on TCP it keeps
// connections open, so that clients can hold their mappings.
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { DecodeError, WayleaveError } from '../../src/errors.js';
import { type Clock, systemClock } from '../../src/net/clock.js';
import type { Endpoint } from '../../src/net/endpoint.js';
import { familyOf, unmappedIp } from '../../src/net/ip-scope.js';
import { Scope } from '../../src/net/scope.js';
import { bindUdp, listenTcp } from '../../src/net/sockets.js';
import { decodeMessage, isBindingRequest, looksLikeStun } from '../../src/stun/message.js';
import { SourceLimiter } from '../source-limiter.js';
import { answerTo, type Corner, type StunSite } from './answers.js';
import { StunConnections } from './connections.js';
import { DelayedAnswers } from './delayed-answers.js';
import { DEFAULT_STUN_LIMITS, type StunLimits } from './limits.js';

export interface StunResponderOptions {
  /** Address to bind, IPv4 or IPv6; `0.0.0.0` and `::` work, but then no answer can say where it came from. */
  readonly host: string;
  /** First port; 0 for any. Default: 3478. */
  readonly port?: number;
  /** A second address of this machine, same family. Without one, filtering by address stays unknown to clients. */
  readonly alternateHost?: string;
  /** Second port. Default: the first one plus 1 (any free one if the first is 0). */
  readonly alternatePort?: number;
  /** The addresses as clients know them, where a 1:1 NAT stands in front. Default: the bound ones. */
  readonly publicHost?: string;
  readonly publicAlternateHost?: string;
  readonly limits?: Partial<StunLimits>;
  /** Who else lives on these ports, the relay: it gets all that is no Binding request. Default: nobody. */
  readonly neighbour?: Neighbour | undefined;
  /**
   * Whether a source may connect; asked for TCP only, where it has proved itself: a ban that datagrams could earn or
   * feel would be a weapon for whoever forges their source. Default: everybody may.
   */
  readonly admits?: (host: string) => boolean;
  readonly clock?: Clock;
}

interface Neighbour {
  /** What takes the datagrams of this socket. */
  datagrams(socket: UdpSocket): (bytes: Buffer, from: RemoteInfo) => void;
  /** Takes a connection over, with what was read from it put back. */
  connection(socket: Socket): void;
}

/** What happened so far; all of them only grow. */
interface StunCounters {
  requests: number;
  answers: number;
  malformed: number;
  rateLimited: number;
  /** Connections closed unheard: too many of them, or their source is banned. */
  refused: number;
  connections: number;
  dialBacks: number;
  bytesIn: number;
  bytesOut: number;
}

export interface StunResponder extends AsyncDisposable {
  /** The bound endpoints: first address first, first port first; two or four. */
  readonly endpoints: readonly Endpoint[];
  readonly counters: Readonly<StunCounters>;
  /** What is open now: TCP connections for STUN, and answers whose time has not come. */
  readonly waiting: { readonly connections: number; readonly answers: number };
  /** Stops answering and closes every connection. Idempotent. */
  close(): Promise<void>;
}

/** @throws WayleaveError `listen-failed`, or `bad-option` when the two hosts are not of one family. */
export async function createStunResponder(options: StunResponderOptions): Promise<StunResponder> {
  const { host, alternateHost, clock = systemClock } = options;
  if (alternateHost !== undefined && familyOf(alternateHost) !== familyOf(host)) {
    throw new WayleaveError('bad-option', `${host} and ${alternateHost} are not of one family`);
  }
  const hosts = alternateHost === undefined ? [host] : [host, alternateHost];
  const limits = { ...DEFAULT_STUN_LIMITS, ...options.limits };
  const counters: StunCounters = {
    requests: 0,
    answers: 0,
    malformed: 0,
    rateLimited: 0,
    refused: 0,
    connections: 0,
    dialBacks: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  const scope = new Scope();
  const site: { -readonly [K in keyof StunSite]: StunSite[K] } = { hosts: announced(options), ports: [0, 0] };
  const handOver = options.neighbour && ((socket: Socket) => options.neighbour!.connection(socket));
  const { admits = () => true } = options;
  const connections = new StunConnections({ site, hosts, limits, counters, clock, handOver, admits });
  const delayed = scope.use(new DelayedAnswers());
  try {
    const onConnection = (socket: Socket, at: Corner) => connections.take(socket, at);
    const first = await bindPort(scope, hosts, 0, options.port ?? 3478, onConnection);
    const second = options.alternatePort ?? (options.port === 0 ? 0 : first.port + 1);
    const rest = await bindPort(scope, hosts, 1, second, onConnection);
    site.ports = [first.port, rest.port];
    scope.use(connections); // released first: a listener is closed only when its connections are
    const limiter = new SourceLimiter(limits.udp, clock.now);
    const { neighbour } = options;
    answerDatagrams([first.sockets, rest.sockets], { site, limiter, delayed, counters, neighbour });
  } catch (error) {
    await connections[Symbol.asyncDispose]();
    await scope.close();
    throw error;
  }
  return {
    endpoints: hosts.flatMap(each => site.ports.map(port => ({ host: each, port }))),
    counters,
    get waiting() {
      return { connections: connections.size, answers: delayed.size };
    },
    close: () => scope.close(),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

function announced(options: StunResponderOptions): StunSite['hosts'] {
  const known = (host: string | undefined) => (host === '0.0.0.0' || host === '::' ? undefined : host);
  const first = options.publicHost ?? known(options.host);
  if (options.alternateHost === undefined) return [first];
  return [first, options.publicAlternateHost ?? known(options.alternateHost)];
}

/** One port, TCP and UDP, on every host. Port 0 asks the system, until TCP and UDP have the same one. */
async function bindPort(
  owner: Scope,
  hosts: readonly string[],
  index: 0 | 1,
  wanted: number,
  onConnection: (socket: Socket, at: Corner) => void,
): Promise<{ port: number; sockets: UdpSocket[] }> {
  for (let tries = wanted === 0 ? 10 : 1; ; tries--) {
    const scope = owner.child();
    const sockets: UdpSocket[] = [];
    let port = wanted;
    try {
      for (const [i, host] of hosts.entries()) {
        const at: Corner = { host: i === 0 ? 0 : 1, port: index };
        const ipv6Only = familyOf(host) === 6;
        const listener = await listenTcp({ host, port, ipv6Only }, socket => onConnection(socket, at));
        scope.use(listener);
        port = listener.port;
        const socket = await bindUdp({ family: familyOf(host), address: host, port });
        scope.defer(() => new Promise<void>(resolve => socket.close(() => resolve())));
        sockets.push(socket);
      }
      return { port, sockets };
    } catch (error) {
      await scope.close();
      if (tries <= 1) throw error;
    }
  }
}

interface Answering {
  readonly site: StunSite;
  readonly limiter: SourceLimiter;
  readonly delayed: DelayedAnswers;
  readonly counters: StunCounters;
  readonly neighbour: Neighbour | undefined;
}

function answerDatagrams(
  sockets: readonly [readonly UdpSocket[], readonly UdpSocket[]],
  { site, limiter, delayed, counters, neighbour }: Answering,
): void {
  const answer = (bytes: Buffer, info: RemoteInfo, at: Corner) => {
    counters.bytesIn += bytes.length;
    if (!looksLikeStun(bytes)) return void counters.malformed++;
    const from = { host: unmappedIp(info.address), port: info.port };
    if (!limiter.admit(from.host)) return void counters.rateLimited++;
    counters.requests++;
    try {
      const message = decodeMessage(bytes, { classic: true });
      const reply = answerTo({ message, from, at, transport: 'udp' }, site);
      if (!reply || !('send' in reply)) return;
      const send = () => {
        sockets[reply.via.port][reply.via.host]?.send(reply.send, info.port, info.address, () => {});
        counters.answers++;
        counters.bytesOut += reply.send.length;
      };
      const afterS = message.get('ANSWER-AFTER');
      if (afterS === undefined) send();
      else if (!delayed.schedule(from.host, afterS, send)) counters.rateLimited++;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      counters.malformed++;
    }
  };
  for (const port of [0, 1] as const) {
    for (const [host, socket] of sockets[port].entries()) {
      const at: Corner = { host: host === 0 ? 0 : 1, port };
      const others = neighbour?.datagrams(socket);
      socket.on('message', (bytes, info) => {
        if (others && !isBindingRequest(bytes)) others(bytes, info);
        else answer(bytes, info, at);
      });
    }
  }
}
