// Listening, dialling and datagrams: the thin layer over node:net and node:dgram. Dials are governed by a
// signal that is detached on success (a signal given to net.connect destroys the established socket later).
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import { abortError, WayleaveError } from '../errors.js';
import { type Endpoint, formatEndpoint, toEndpoint } from './endpoint.js';
import { type Family, familyOf, unmappedIp } from './ip-scope.js';

export interface Dial {
  /** Where to: an IP literal that the dial policy admitted. */
  readonly remote: Endpoint;
  /** Local address to bind to; default: the system's choice. */
  readonly localAddress?: string | undefined;
  /** Local port to bind to. Several dials may share one as long as nothing listens on it yet. */
  readonly localPort?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A TCP connection in the making, for who drives many of them at once: its SYN goes out in the order of the calls,
 * and what becomes of it is told by the socket's own events.
 * @throws WayleaveError `dial-refused` for anything but an IP literal and a port; Error for a local end that cannot be.
 */
export function beginDial({ remote, localAddress, localPort }: Omit<Dial, 'signal'>): Socket {
  const { host, port } = remote;
  if (toEndpoint(host.split('%')[0]!, port) === undefined) {
    const text = `${JSON.stringify(host)}, port ${String(port)}: not an IP address and port`;
    throw new WayleaveError('dial-refused', text);
  }
  return connect({
    host,
    port,
    family: familyOf(host),
    noDelay: true,
    allowHalfOpen: true,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
  });
}

/**
 * One TCP connection, no delay, errors typed. Names are not looked up.
 * @throws WayleaveError `dial-failed` (cause: the system error), `dial-refused` for anything but an IP
 * literal and a port, or the signal's abort error.
 */
export function dialTcp({ signal, ...dial }: Dial): Promise<Socket> {
  return connected(() => beginDial(dial), formatEndpoint(dial.remote), signal);
}

/**
 * The same to a server that the user or a peer's address names by its host: names are looked up, by `lookup` where
 * one is given.
 * @throws as `dialTcp`.
 */
export function dialHost(
  to: { readonly host: string; readonly port: number; readonly lookup?: LookupFunction | undefined },
  signal?: AbortSignal,
): Promise<Socket> {
  const { lookup, ...where } = to;
  const begin = () => connect({ ...where, ...(lookup && { lookup }), noDelay: true });
  return connected(begin, `${to.host}, port ${to.port}`, signal);
}

/** Settles with the connection that `begin` began. */
function connected(begin: () => Socket, where: string, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const failed = (cause: NodeJS.ErrnoException) => {
      const text = `cannot connect to ${where}: ${cause.code ?? cause.message}`;
      reject(new WayleaveError('dial-failed', text, { cause }));
    };
    let socket: Socket;
    try {
      socket = begin();
    } catch (cause) {
      return cause instanceof WayleaveError ? reject(cause) : failed(cause as Error);
    }
    const settle = () => {
      socket.off('connect', onConnect);
      socket.off('error', onError);
      signal?.removeEventListener('abort', onAbort);
    };
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const onError = (cause: NodeJS.ErrnoException) => {
      settle();
      socket.destroy();
      failed(cause);
    };
    const onAbort = () => {
      settle();
      socket.on('error', () => {}); // a destroyed socket may still report what became of its SYN
      socket.destroy();
      reject(abortError(signal!));
    };
    socket.once('connect', onConnect);
    socket.once('error', onError);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export interface TcpListener extends AsyncDisposable {
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  readonly server: Server;
}

/**
 * Listens for TCP. Without a host: on all addresses, IPv6 and IPv4 at once where the system has IPv6.
 * Closing stops the listening; connections already accepted belong to whoever took them.
 * @throws WayleaveError `listen-failed`.
 */
export async function listenTcp(
  options: { host?: string | undefined; port?: number | undefined; backlog?: number; ipv6Only?: boolean },
  onConnection: (socket: Socket) => void,
): Promise<TcpListener> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
  const { host, port = 0, backlog = 511, ipv6Only = false } = options;
  try {
    server.listen({ port, backlog, ipv6Only, ...(host === undefined ? {} : { host }) });
    await once(server, 'listening');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const text = `cannot listen on ${host ?? 'all addresses'}, port ${port}: ${code}`;
    throw new WayleaveError('listen-failed', text, { cause });
  }
  server.on('error', () => {}); // accept errors (EMFILE) end one connection, not the process
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : port,
    server,
    // not server.close's callback: that one waits for the accepted connections to end, too
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

/**
 * A bound UDP socket. The caller owns it and closes it.
 * @throws WayleaveError `listen-failed`.
 */
export async function bindUdp(options: {
  family: Family;
  address?: string;
  port?: number;
}): Promise<UdpSocket> {
  const { family, address, port = 0 } = options;
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    // Addresses are literals here: DNS is never asked, and a datagram need not wait for a turn of the loop.
    lookup: (address, _options, callback) => callback(null, address, family),
  });
  try {
    const listening = once(socket, 'listening'); // before: without a look-up it may come at once
    socket.bind({ port, ...(address === undefined ? {} : { address }), exclusive: true });
    await listening;
  } catch (cause) {
    socket.close();
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new WayleaveError('listen-failed', `cannot bind UDP ${address ?? 'any'}:${port}: ${code}`, {
      cause,
    });
  }
  socket.on('error', () => {}); // ICMP errors surface here; who waits for an answer has its own deadline
  return socket;
}

/** The far end of a connected socket, canonical; undefined where there is none. */
export function remoteEndpoint(socket: Socket): Endpoint | undefined {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return { host: unmappedIp(remoteAddress), port: remotePort };
}

/** The near end of a connected socket, canonical; undefined where there is none. */
export function localEndpoint(socket: Socket): Endpoint | undefined {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return { host: unmappedIp(localAddress), port: localPort };
}

/**
 * Both ends of a connected socket, to be asked at once when it connects.
 * @throws WayleaveError `connection-lost` when it is already gone.
 */
export function endsOf(socket: Socket): { local: Endpoint; remote: Endpoint } {
  const local = localEndpoint(socket);
  const remote = remoteEndpoint(socket);
  if (local && remote) return { local, remote };
  throw new WayleaveError('connection-lost', 'the connection was gone as soon as it was made');
}
