// A TURN client: the allocation's state machine joined to a way to the server and to a clock. Over UDP, TCP
// or TLS it holds UDP allocations (RFC 8656), over TCP and TLS also TCP allocations (RFC 6062).
import type { Socket } from 'node:net';
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import type { Family } from '../net/ip-scope.js';
import { authorizeBy } from '../stun/credentials.js';
import type { Frame } from '../stun/framing.js';
import { decodeMessage } from '../stun/message.js';
import { type Allocated, Allocation, type RelayedTransport } from './allocation.js';
import { bindConnection } from './data-connection.js';
import { Driver } from './driver.js';
import { keepAlive } from './keep-alive.js';
import type { Settle } from './peer-leases.js';
import { openLink, type ServerLink } from './server-link.js';
import { SpareConnection } from './spare-connection.js';
import { TurnError } from './turn-error.js';
import type { TurnServer } from './turn-server.js';

/** How many local ports are tried when the server says that ours is taken (437, RFC 8656 section 7.4). */
const MAX_PORTS = 3;
/** How long a release waits for the server's word. The allocation is gone by its lifetime in any case. */
const RELEASE_MS = 1_000;

export interface OpenOptions {
  /** What the server shall relay. `tcp` needs a server reached over TCP or TLS. Default: `udp`. */
  readonly relayed?: RelayedTransport;
  /** Family of the relayed address. Default: the server's choice. */
  readonly family?: Family | undefined;
  /** Lifetime to ask for, in seconds. Default: the server's choice. */
  readonly lifetimeS?: number | undefined;
  /** A word to the server so often, so that no NAT on the way forgets the allocation. Default: 15,000. */
  readonly keepAliveMs?: number | undefined;
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}

export class TurnClient implements AsyncDisposable {
  readonly server: TurnServer;
  readonly relayedTransport: RelayedTransport;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  readonly #allocation: Allocation;
  readonly #driver: Driver;
  readonly #lost: { promise: Promise<WayleaveError>; resolve: (error: WayleaveError) => void };
  #link: ServerLink | undefined;
  #spare: SpareConnection | undefined;
  #allocated: Allocated | undefined;
  #closing: Promise<void> | undefined;

  /** Hears the datagrams of permitted peers. `data` is a view: copy what is kept. */
  onData: (from: Endpoint, data: Buffer) => void = () => {};
  /** Hears that a permitted peer connected (TCP allocations): `accept` it within 30 s. */
  onConnectionAttempt: (connectionId: number, from: Endpoint) => void = () => {};
  /** Hears that a permission or channel was lost. */
  onPeerLost: (peer: string, error: WayleaveError) => void = () => {};

  /** @internal Use `openTurn`. */
  constructor(server: TurnServer, options: OpenOptions) {
    this.server = server;
    this.relayedTransport = options.relayed ?? 'udp';
    this.#clock = options.clock ?? systemClock;
    let resolve!: (error: WayleaveError) => void;
    const promise = new Promise<WayleaveError>(settle => {
      resolve = settle;
    });
    this.#lost = { promise, resolve };
    const credentials = { username: server.username, password: server.credential };
    const authorization = server.challenge && authorizeBy(server.challenge, credentials);
    const { family, lifetimeS } = options;
    const reliable = server.transport !== 'udp';
    const wishes = { relayed: this.relayedTransport, reliable, family, lifetimeS };
    this.#allocation = new Allocation(
      { server: server.endpoint, credentials, authorization, ...wishes },
      {
        onData: (from, data) => this.onData(from, data),
        onConnectionAttempt: (connectionId, from) => this.onConnectionAttempt(connectionId, from),
        onPeerLost: (peer, error) => this.onPeerLost(peer, error),
        onLost: error => this.#onLost(error),
      },
    );
    this.#driver = new Driver(this.#clock, this.#allocation, bytes => this.#link?.send(bytes));
  }

  /** The address that the server relays for us. */
  get relayed(): Endpoint {
    return this.#allocated!.relayed;
  }

  /** Our own address as the server sees it. */
  get mapped(): Endpoint {
    return this.#allocated!.mapped;
  }

  /**
   * Resolves with the reason when the allocation is gone: after `close` with `closed`, or, if the server did not
   * take it back within a second, `no-answer`. Never rejects.
   */
  get lost(): Promise<WayleaveError> {
    return this.#lost.promise;
  }

  /** @internal */
  async open({ signal, keepAliveMs }: OpenOptions): Promise<void> {
    const events = {
      onFrame: (frame: Frame) => this.#onFrame(frame),
      onClosed: (error: WayleaveError) => {
        this.#lost.resolve(error);
        this.#allocation.fail(error, this.#clock.now());
      },
    };
    this.#link = await openLink(this.server, events, signal);
    try {
      this.#allocated = await this.#operate<Allocated>(signal, (nowMs, settle) => {
        this.#allocation.allocate(nowMs, settle);
      });
      void keepAlive(this.#clock, this.#ended.signal, bytes => this.#link?.send(bytes), keepAliveMs);
    } catch (error) {
      // An aborted caller need not wait until the server has taken back what it is just giving.
      if (signal?.aborted) void this.close();
      else await this.close();
      throw error;
    }
  }

  /** Lets these IP addresses send to us and connect to us, and keeps it so. @throws WayleaveError */
  permit(hosts: readonly string[], { signal }: Cancellable = {}): Promise<void> {
    return this.#operate<void>(signal, (nowMs, settle) => this.#allocation.permit(nowMs, hosts, settle));
  }

  /** Gives a peer a channel; `send` uses it from then on. Also permits the peer. @throws WayleaveError */
  async bindChannel(peer: Endpoint, { signal }: Cancellable = {}): Promise<void> {
    await this.#operate<number>(signal, (nowMs, settle) => this.#allocation.bindChannel(nowMs, peer, settle));
  }

  /** Sends a datagram to a permitted peer, as surely as UDP: not at all. */
  send(peer: Endpoint, data: Buffer): void {
    if (this.#allocation.held) this.#link!.sendDatagram(this.#allocation.datagramFor(peer, data));
  }

  /** A byte stream to a peer, through the server (TCP allocations). @throws WayleaveError */
  async connect(peer: Endpoint, { signal }: Cancellable = {}): Promise<Socket> {
    const connectionId = await this.#operate<number>(signal, (nowMs, settle) =>
      this.#allocation.connect(nowMs, peer, settle),
    );
    return this.accept(connectionId, { signal });
  }

  /** The byte stream of a connection that was announced by `onConnectionAttempt`. @throws WayleaveError */
  async accept(connectionId: number, { signal }: Cancellable = {}): Promise<Socket> {
    const { authorization } = this.#allocation;
    const opened = await this.#spare?.take(signal);
    return bindConnection(this.server, { connectionId, authorization, opened, clock: this.#clock, signal });
  }

  /** Opens the way for the next `connect` or `accept` beforehand, which spares it a round trip (two with TLS). */
  openSpare(): void {
    if (this.relayedTransport === 'tcp' && !this.#closing) this.#spare ??= new SpareConnection(this.server);
  }

  /** Gives the allocation back and closes the way to the server. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#ended.abort();
    const enough = new AbortController();
    const released = new Promise<WayleaveError>(resolve => {
      const closed = new WayleaveError('closed', 'the allocation was closed by its owner');
      this.#allocation.release(this.#clock.now(), () => resolve(closed));
      this.#driver.pump();
    });
    const silent = new WayleaveError('no-answer', 'the server does not answer');
    const silence = this.#clock.sleep(RELEASE_MS, enough.signal).catch(() => {});
    const closed = await Promise.race([released, silence.then(() => silent)]);
    enough.abort();
    this.#allocation.fail(closed, this.#clock.now());
    this.#driver[Symbol.dispose]();
    this.#spare?.[Symbol.dispose]();
    this.#link?.close();
    this.#lost.resolve(closed);
  }

  #onFrame(frame: Frame): void {
    if (frame.kind === 'channel-data')
      return void this.#allocation.receiveChannelData(frame.channel, frame.data);
    try {
      this.#allocation.receive(decodeMessage(frame.bytes), this.#clock.now());
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
    this.#driver.pump();
  }

  #onLost(error: WayleaveError): void {
    this.#lost.resolve(error);
    void this.close();
  }

  #operate<T>(
    signal: AbortSignal | undefined,
    begin: (nowMs: number, settle: Settle<T>) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const onAbort = () => reject(abortError(signal!));
      signal?.addEventListener('abort', onAbort, { once: true });
      begin(this.#clock.now(), result => {
        signal?.removeEventListener('abort', onAbort);
        if ('error' in result) reject(result.error);
        else resolve(result.value);
      });
      this.#driver.pump();
    });
  }
}

/**
 * An allocation on this server, from a fresh local port if the server finds the first one taken.
 * @throws WayleaveError `dial-failed`, `no-answer`, `request-failed` (a TurnError, with its number) or the abort error.
 */
export async function openTurn(server: TurnServer, options: OpenOptions = {}): Promise<TurnClient> {
  if (options.relayed === 'tcp' && server.transport === 'udp') {
    throw new WayleaveError(
      'bad-option',
      'connections are relayed only for clients that come over TCP or TLS',
    );
  }
  for (let port = 1; ; port++) {
    const client = new TurnClient(server, options);
    try {
      await client.open(options);
      return client;
    } catch (error) {
      if (!(error instanceof TurnError) || error.remedyKind !== 'another-port' || port === MAX_PORTS)
        throw error;
    }
  }
}
