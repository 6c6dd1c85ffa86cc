// STUN requests over one TCP or TLS connection, which holds its mapping for as long as it stays open
// (RFC 8489 sections 6.2.2 and 6.2.3). Messages that are no answers go to `onMessage`.
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { DecodeError, WayleaveError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import { dialTcp, localEndpoint } from '../net/sockets.js';
import { secureClient } from '../net/tls-client.js';
import {
  encodeRequest,
  PendingRequests,
  type RequestOptions,
  type StunAnswer,
  type StunRequest,
  tryDecode,
} from './client.js';
import { StreamFramer } from './framing.js';
import type { StunMessage } from './message.js';
import { STREAM_SCHEDULE } from './transaction.js';

export interface StreamClientOptions {
  readonly server: Endpoint;
  readonly localAddress?: string | undefined;
  /** Several connections may share one local port, while nothing listens on it. Default: any free one. */
  readonly localPort?: number | undefined;
  /** Speak TLS: the name that the server's certificate must bear, and who may have signed it (PEM). */
  readonly tls?: { readonly servername: string; readonly ca?: string } | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  readonly onMessage?: (message: StunMessage) => void;
}

/** Larger than any message of ours; a peer that announces more is cut off before anything is allocated. */
const MAX_MESSAGE_BYTES = 16_384;
/** RFC 7443. */
const ALPN = ['stun.nat-discovery', 'stun.turn'];

export class StreamStunClient implements AsyncDisposable {
  readonly server: Endpoint;
  /** The near end: what the server sees as mapped differs from it behind a NAT. */
  readonly local: Endpoint;
  readonly #socket: Socket;
  readonly #pending: PendingRequests;
  readonly #closed = new AbortController();

  private constructor(socket: Socket, local: Endpoint, options: StreamClientOptions) {
    this.server = options.server;
    this.local = local;
    this.#socket = socket;
    setMaxListeners(0, this.#closed.signal); // one a request: as many as are under way
    this.#pending = new PendingRequests(options.clock ?? systemClock);
    const framer = new StreamFramer(MAX_MESSAGE_BYTES);
    socket.on('data', chunk => {
      try {
        framer.push(chunk);
        for (let frame = framer.next(); frame; frame = framer.next()) {
          const message = frame.kind === 'stun' ? tryDecode(frame.bytes) : undefined;
          if (message && !this.#pending.receive(message, this.server)) options.onMessage?.(message);
        }
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#lose(error);
      }
    });
    socket.on('error', error => this.#lose(error));
    socket.on('end', () => this.#lose());
    socket.on('close', () => this.#lose());
  }

  /** @throws WayleaveError `dial-failed` (also for a TLS handshake that fails), or the signal's abort error. */
  static async open(options: StreamClientOptions): Promise<StreamStunClient> {
    const { server, localAddress, localPort, signal, tls } = options;
    const socket = await dialTcp({ remote: server, localAddress, localPort, signal });
    const local = localEndpoint(socket);
    if (!local) {
      socket.destroy();
      throw new WayleaveError('dial-failed', `${formatEndpoint(server)} closed at once`);
    }
    if (!tls) return new StreamStunClient(socket, local, options);
    const { servername: name, ca } = tls;
    const where = formatEndpoint(server);
    const secure = await secureClient(socket, { name, ca, alpn: ALPN, where, signal });
    return new StreamStunClient(secure, local, options);
  }

  /** Aborts when the connection has ended, whoever ended it. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** @throws WayleaveError `no-answer`, `connection-lost`, `closed`, or the signal's abort error. */
  request(request: StunRequest, options: RequestOptions = {}): Promise<StunAnswer> {
    const { schedule = STREAM_SCHEDULE } = options;
    const ended = this.#closed.signal;
    return this.#pending.run(encodeRequest(request), [this.server], { ...options, schedule, ended }, bytes =>
      this.#socket.write(bytes),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new WayleaveError('closed', 'the STUN client is closed'));
    if (this.#socket.closed) return;
    const closed = new Promise<void>(resolve => this.#socket.once('close', () => resolve()));
    this.#socket.destroy();
    await closed;
  }

  #lose(cause?: unknown): void {
    const text = `the STUN connection to ${formatEndpoint(this.server)} ended`;
    this.#closed.abort(new WayleaveError('connection-lost', text, { cause }));
    this.#socket.destroy();
  }
}
