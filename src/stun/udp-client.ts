// STUN requests from one UDP socket, to any number of servers: one local port, so one mapping to observe
// (RFC 8489 section 6.2.1). An answer counts only from the endpoint that was asked, with the id it was given.
import type { RemoteInfo, Socket } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { WayleaveError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { type Family, unmappedIp } from '../net/ip-scope.js';
import { bindUdp } from '../net/sockets.js';
import {
  encodeRequest,
  PendingRequests,
  type RequestOptions,
  type StunAnswer,
  type StunRequest,
  tryDecode,
} from './client.js';
import type { StunMessage } from './message.js';
import { rfcSchedule } from './transaction.js';

export interface UdpClientOptions {
  readonly family: Family;
  /** Local address; default: the system's choice. */
  readonly address?: string;
  /** Local port; default: any free one. */
  readonly port?: number;
  readonly clock?: Clock;
  /** Hears requests and indications that arrive, and answers that nobody waits for (any more). */
  readonly onMessage?: (message: StunMessage, from: Endpoint) => void;
}

export interface UdpRequestOptions extends RequestOptions {
  /** Who may answer, where that is not the server's own endpoint (CHANGE-REQUEST). */
  readonly answerFrom?: readonly Endpoint[];
}

export class UdpStunClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #pending: PendingRequests;
  readonly #closing = new AbortController();

  private constructor(socket: Socket, options: UdpClientOptions) {
    this.#socket = socket;
    setMaxListeners(0, this.#closing.signal); // one a request: as many as are under way
    this.#pending = new PendingRequests(options.clock ?? systemClock);
    socket.on('message', (bytes: Buffer, { address, port }: RemoteInfo) => {
      const message = tryDecode(bytes);
      const from = { host: unmappedIp(address), port };
      if (message && !this.#pending.receive(message, from)) options.onMessage?.(message, from);
    });
  }

  /** @throws WayleaveError `listen-failed` */
  static async open(options: UdpClientOptions): Promise<UdpStunClient> {
    const { family, address, port } = options;
    const socket = await bindUdp({
      family,
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
    });
    return new UdpStunClient(socket, options);
  }

  /** The local address that the socket is bound to, canonical. */
  get address(): string {
    return unmappedIp(this.#socket.address().address);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /**
   * One request, repeated as the schedule says. What the network refuses to send counts as lost.
   * @throws WayleaveError `no-answer`, `closed`, or the signal's abort error.
   */
  request(server: Endpoint, request: StunRequest, options: UdpRequestOptions = {}): Promise<StunAnswer> {
    const { schedule = rfcSchedule(), answerFrom = [server] } = options;
    const ended = this.#closing.signal;
    return this.#pending.run(encodeRequest(request), answerFrom, { ...options, schedule, ended }, bytes =>
      this.send(bytes, server),
    );
  }

  /** Sends bytes as they are. */
  send(bytes: Buffer, to: Endpoint): void {
    if (!this.#closing.signal.aborted) this.#socket.send(bytes, to.port, to.host, () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new WayleaveError('closed', 'the STUN client is closed'));
    await new Promise<void>(resolve => this.#socket.close(() => resolve()));
  }
}
