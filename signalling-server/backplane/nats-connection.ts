// The connection to NATS, kept for as long as the server lives: one server of the list after another, then a pause
// with jitter, without end. Each connection is used once and thrown away, so that joining for the first time and
// coming back are the same thing. The client package is optional and loaded here alone.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { ConnectionOptions, NatsConnection, TlsOptions } from '@nats-io/transport-node';
import type { Clock } from '../../src/net/clock.js';
import { optionalPackage } from '../../src/optional-package.js';
import type { Log } from '../log.js';
import type { NatsServer } from './nats-url.js';

/** Full jitter: a uniform wait between nothing and a bound that doubles from the first value to the second. */
const RETRY_MS = { first: 200, most: 5_000 } as const;
/** From the dial to the login, TLS included. */
const CONNECT_WITHIN_MS = 5_000;
/** A connection that answers no ping is given up after three of these. */
const PING_EVERY_MS = 2_000;

export type DialNats = (server: NatsServer, signal: AbortSignal) => Promise<NatsConnection>;

/** Sockets that the client opens in one dial. Where nobody answers in time it leaves them behind. */
const dialled = new AsyncLocalStorage<Set<Socket>>();

/** @throws WayleaveError `missing-package` */
export async function loadNats(): Promise<DialNats> {
  const name = '@nats-io/transport-node';
  const load = () => import('@nats-io/transport-node');
  const { connect } = await optionalPackage(name, 'servers are joined through NATS', load);
  subscribe('net.client.socket', message => {
    dialled.getStore()?.add((message as { socket: Socket }).socket);
  });
  return async (server, signal) => {
    const sockets = new Set<Socket>();
    const destroy = () => {
      for (const socket of sockets) socket.destroy();
    };
    signal.addEventListener('abort', destroy, { once: true });
    try {
      return await dialled.run(sockets, () => connect(connectionOptions(server)));
    } catch (error) {
      destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', destroy);
      dialled.disable(); // following every promise of the process costs; it is on again with the next dial
    }
  };
}

function connectionOptions({ at, host, tls, login }: NatsServer): ConnectionOptions {
  return {
    servers: at,
    ...login,
    // Node.js checks the certificate against `host`; without it, an IP address would be checked as `localhost`
    ...(tls && { tls: { host } as TlsOptions }),
    name: 'wayleave',
    timeout: CONNECT_WITHIN_MS,
    pingInterval: PING_EVERY_MS,
    maxPingOut: 2,
    reconnect: false,
    ignoreClusterUpdates: true,
  };
}

export interface StayConnectedOptions {
  readonly servers: readonly NatsServer[];
  readonly dial: DialNats;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends it all. */
  readonly signal: AbortSignal;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Hands each connection to `use`, which is told by its signal that the connection is over. Never rejects. */
export async function stayConnected(
  { servers, dial, clock, log, signal, random }: StayConnectedOptions,
  use: (connection: NatsConnection, over: AbortSignal) => void,
): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    const server = servers[tries % servers.length]!;
    try {
      const connection = await dial(server, signal);
      const over = new AbortController();
      setMaxListeners(0, over.signal); // whatever waits for an answer of NATS listens to it
      const close = () => void connection.close();
      signal.addEventListener('abort', close, { once: true });
      if (signal.aborted) close();
      else use(connection, over.signal);
      const error = await connection.closed();
      signal.removeEventListener('abort', close);
      over.abort();
      if (signal.aborted) return;
      log.warn({ nats: server.at, reason: reasonOf(error) }, 'NATS is lost');
      tries = 0;
    } catch (error) {
      if (signal.aborted) return;
      const level = tries < servers.length ? 'warn' : 'debug'; // each of them once
      log[level]({ nats: server.at, reason: reasonOf(error) }, 'NATS is not reached');
    }
    const rounds = Math.floor((tries + 1) / servers.length);
    const boundMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** rounds);
    await clock.sleep(random() * boundMs, signal).catch(() => {});
  }
}

/** The client's errors name hosts at the most; logins are not among their words. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'closed';
}
