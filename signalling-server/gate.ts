// The listening socket and all that happens before a connection's first word of HTTP: who is banned or one too many
// is closed unheard, a listed proxy says whom it brings (PROXY protocol), and TLS begins. What passes is an Arrival;
// whoever trickles, stalls or says nothing is gone when its time is up.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../src/net/clock.js';
import { listenTcp, remoteEndpoint, type TcpListener } from '../src/net/sockets.js';
import type { Bans } from './bans.js';
import type { Certificate } from './certificate.js';
import { type ClientAddress, type Trust, trusting } from './client-address.js';
import { ConnectionCount } from './connection-count.js';
import type { Counts, CutReason } from './counts.js';
import type { Log } from './log.js';
import type { ResolvedServerOptions } from './options.js';
import { awaitProxyHeader } from './proxy-header.js';
import { sourceOf } from './source-limiter.js';

/** A connection that may speak HTTP now. */
export interface Arrival {
  /** What to speak on: the TCP connection, or TLS over it. */
  readonly socket: Socket;
  readonly connection: Socket;
  /** Who is known to stand at its other end: the client, or a listed proxy that may have more to say. */
  readonly from: ClientAddress;
  /** Over the limit of its source, and to be told so. */
  readonly oneTooMany: boolean;
}

/** What everybody who ends connections shares. */
export interface House {
  readonly counts: Counts;
  readonly bans: Bans;
  readonly clock: Clock;
  readonly log: Log;
  readonly certificate: Certificate | undefined;
}

export class Gate {
  /** Whether an address is that of a listed proxy. */
  readonly trusts: Trust;
  readonly #options: ResolvedServerOptions;
  readonly #house: House;
  readonly #onArrival: (arrival: Arrival) => void;
  readonly #bySource = new ConnectionCount();
  /** Every open connection, and its client once that is known. */
  readonly #open = new Map<Socket, ClientAddress | undefined>();
  /** Of connections that are neither registered nor closed. */
  readonly #timeLimits = new Map<Socket, Disposable>();
  #listener: TcpListener | undefined;
  #draining = false;

  constructor(options: ResolvedServerOptions, house: House, onArrival: (arrival: Arrival) => void) {
    this.#options = options;
    this.#house = house;
    this.#onArrival = onArrival;
    this.trusts = trusting(options.trustedProxies);
  }

  /** Opens the port; which it is. @throws WayleaveError `listen-failed`. */
  async open(): Promise<number> {
    const { host, port, maxConnections } = this.#options;
    this.#listener = await listenTcp({ host, port }, socket => this.#opened(socket));
    const { server } = this.#listener;
    server.maxConnections = maxConnections;
    server.on('drop', () => this.#house.counts.cut['server-full']++);
    return this.#listener.port;
  }

  get socketCount(): number {
    return this.#open.size;
  }

  /** Connections whose time to register runs. */
  get unregisteredCount(): number {
    return this.#timeLimits.size;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Closes those who have not registered. From now on nobody can: but whoever asks how we are is answered. */
  drain(): void {
    this.#draining = true;
    for (const connection of [...this.#timeLimits.keys()]) connection.destroy();
  }

  /** No more connections, and an end to those that there are. */
  async close(): Promise<void> {
    if (!this.#listener) return;
    const { server } = this.#listener;
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    for (const connection of [...this.#open.keys()]) connection.destroy();
    await closed;
  }

  /** Counts a connection for its client's source, for as long as it is open. @returns why it should end, if it should. */
  enter(connection: Socket, client: ClientAddress): 'banned' | 'one-too-many' | 'crowd' | undefined {
    this.#open.set(connection, client);
    if (this.#house.bans.isBanned(client.host)) return 'banned';
    const source = sourceOf(client.host);
    const count = this.#bySource.enter(source);
    connection.once('close', () => this.#bySource.leave(source));
    const { connectionsPerIp } = this.#options;
    if (count <= connectionsPerIp) return undefined;
    return count > 2 * connectionsPerIp ? 'crowd' : 'one-too-many';
  }

  /** (Re)starts the time limit of a connection. */
  limit(connection: Socket, ms: number): void {
    this.lift(connection);
    const deadline = this.#house.clock.deadline(ms);
    this.#timeLimits.set(connection, deadline);
    const onTimeUp = () => this.end(connection, 'not-registered-in-time');
    deadline.signal.addEventListener('abort', onTimeUp, { once: true });
  }

  /** Its time is no longer limited. */
  lift(connection: Socket): void {
    this.#timeLimits.get(connection)?.[Symbol.dispose]();
    this.#timeLimits.delete(connection);
  }

  /** Ends a connection that has not registered, and holds the reason against its source where it is an offence. */
  end(connection: Socket, reason: CutReason): void {
    this.#house.counts.cut[reason]++;
    const client = this.#open.get(connection);
    if (client) this.accuse(client.host, reason);
    connection.destroy();
  }

  accuse(host: string, reason: CutReason): void {
    const forMs = this.#house.bans.accuse(host, reason);
    if (forMs > 0)
      this.#house.log.info({ source: host, seconds: Math.round(forMs / 1000), reason }, 'banned');
  }

  #opened(connection: Socket): void {
    this.#house.counts.connections++;
    this.#open.set(connection, undefined);
    connection.once('close', () => {
      this.#open.delete(connection);
      this.lift(connection);
    });
    connection.on('error', () => {}); // its close is enough
    const from = remoteEndpoint(connection);
    if (!from) return void connection.destroy(); // gone already, and where from is part of every delivery
    this.limit(connection, this.#options.registerWithinMs);
    if (!this.trusts(from.host) || this.#options.proxyHeader === 'x-forwarded-for')
      this.#admit(connection, from);
    else {
      awaitProxyHeader(
        connection,
        client => this.#admit(connection, client ?? from),
        () => this.end(connection, 'proxy-unclear'),
      );
    }
  }

  /** A proxy is not counted: its clients are, each when it is known. */
  #admit(connection: Socket, from: ClientAddress): void {
    const refusal = this.trusts(from.host) ? undefined : this.enter(connection, from);
    if (refusal === 'banned') this.end(connection, 'banned');
    else if (refusal === 'crowd') this.end(connection, 'too-many-connections');
    else this.#secure(connection, { connection, from, oneTooMany: refusal === 'one-too-many' });
  }

  #secure(connection: Socket, arrival: Omit<Arrival, 'socket'>): void {
    const { certificate, counts } = this.#house;
    if (!certificate) return void this.#onArrival({ ...arrival, socket: connection });
    const socket = new TLSSocket(connection, { isServer: true, secureContext: certificate.context });
    let established = false;
    socket.on('error', () => {
      if (!established) counts.tlsFailures++;
      connection.destroy();
    });
    socket.once('secure', () => {
      established = true;
      this.#onArrival({ ...arrival, socket });
    });
  }
}
