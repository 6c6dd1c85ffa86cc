// The pipe: an ordered, encrypted conversation with one peer whose identity is proved, over whatever path won.
// It owns its connection. What arrives goes to the handlers and subscriptions; where one of those that must
// not lose anything is full, the pipe stops reading and the peer has to wait.
import { WayleaveError } from '../errors.js';
import { type EventName, publish } from '../events.js';
import type { NodeId } from '../identity/node-id.js';
import { ByteStream } from './byte-stream.js';
import {
  type CloseCode,
  type CloseReason,
  causeOf,
  closeContent,
  closeError,
  explained,
  parseClose,
} from './close-reason.js';
import { encodeControl, type Frame, KIND } from './framing.js';
import type { Secured } from './handshake.js';
import { Inbox, type MessageFilter, type Subscription } from './inbox.js';
import { Liveness } from './liveness.js';
import type { Client, Handler } from './message-handlers.js';
import type { QueueLimits, RecvOptions } from './message-queue.js';
import { DRAIN_MS } from './opening.js';
import { Outbox } from './outbox.js';
import { type PingOptions, Pings } from './pings.js';
import { bytesOf, type PipeOptions, type Route, type Sendable, warn } from './pipe-options.js';

const EMPTY = Buffer.alloc(0);

/** A handler of messages: what, from whom, through which pipe. */
export type MessageHandler = Handler<Pipe>;

export class Pipe implements AsyncIterable<Buffer>, AsyncDisposable {
  /** Who is at the other end: proved by the handshake. */
  readonly peer: NodeId;
  readonly route: Route;
  readonly direction: 'outbound' | 'inbound';
  /** Resolves, never rejects, with the reason, once the pipe has ended and its connection is gone. */
  readonly closed: Promise<CloseReason>;
  readonly #secured: Secured;
  readonly #attempt: string | undefined;
  readonly #inbox: Inbox<Pipe>;
  readonly #outbox: Outbox;
  readonly #liveness: Liveness;
  readonly #pings: Pings;
  #resolveClosed!: (reason: CloseReason) => void;
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #pumping = false;
  #reading = false;
  #peerEnded = false;
  #finished = false;
  #reason: CloseReason | undefined;
  #stream: ByteStream | undefined;

  /** Takes over the connection. Reading starts after the present turn: handlers attached in it miss nothing. */
  constructor(secured: Secured, options: PipeOptions<Pipe>) {
    const { direction, route, attempt, heartbeatMs, deadMs, nodeHandlers, queue } = options;
    const { socket, peer } = secured;
    this.#secured = secured;
    this.peer = peer;
    this.route = route;
    this.direction = direction;
    this.#attempt = attempt;
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve;
    });
    const client: Client = Object.freeze({ id: peer, host: route.remote.host, port: route.remote.port });
    const onError = options.onError ?? warn;
    this.#inbox = new Inbox(this, client, { nodeHandlers, queue, onError, onSpace: () => this.#pump() });
    this.#outbox = new Outbox(socket, () => this.#liveness.wrote(performance.now()));
    this.#liveness = new Liveness(performance.now(), heartbeatMs, deadMs);
    this.#pings = new Pings((kind, payload, signal) => this.#outbox.send(kind, payload, signal));
    socket.once('error', error => this.#lose(causeOf(error)));
    socket.once('close', () => this.#finish());
    this.#publish('pipe-opened');
    setImmediate(() => this.#start());
  }

  /**
   * Sends one message (up to 16 MiB). Resolves when its bytes are taken, so that the buffer may be reused;
   * while 256 KiB wait for the network it waits too, and so should the caller.
   * @throws WayleaveError `message-too-large`, `aborted`, `bad-option` (not bytes or text), or, once the pipe
   * has ended, the reason's code (`closed`, `connection-lost`, …).
   */
  send(data: Sendable, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    const bytes = typeof data === 'string' ? data : bytesOf(data);
    if (bytes !== undefined) return this.#outbox.send(KIND.message, bytes, options?.signal);
    return Promise.reject(new WayleaveError('bad-option', 'a message is text or bytes'));
  }

  /**
   * The next message. The buffer may be shared with other consumers: treat it as read-only.
   * @throws WayleaveError `timeout`, `aborted`, or, when no more can come, the reason's code.
   */
  recv(options?: RecvOptions): Promise<Buffer> {
    return this.#inbox.claim().recv(options);
  }

  /**
   * One round trip to the other side's pipe and back, in milliseconds; behind what is already under way.
   * @throws WayleaveError `timeout`, `rate-limited` (16 are under way), `aborted`, or the pipe's end.
   */
  ping(options: PingOptions = {}): Promise<number> {
    return this.#pings.ping(options);
  }

  /** Calls `handler` with every message from now on, until the result is disposed. Any number of handlers. */
  onMessage(handler: MessageHandler): Disposable {
    return this.#inbox.onMessage(handler);
  }

  /**
   * An independent bounded queue of the messages from now on that pass `filter` (default: all). When it is full
   * the peer has to wait, so read it or dispose it.
   */
  subscribe(filter?: MessageFilter, limits: QueueLimits = {}): Subscription {
    return this.#inbox.subscribe(filter, limits);
  }

  /** Shares one queue with `recv`. Ends when the pipe was closed in good order, throws when it was not. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#inbox.claim()[Symbol.asyncIterator]();
  }

  /** The pipe as a stream of bytes (one stream; it reads what `recv` would). Destroying it closes the pipe. */
  toDuplex(): ByteStream {
    this.#stream ??= new ByteStream({
      queue: this.#inbox.claim(),
      send: part => this.send(part),
      sendEnd: () => this.#outbox.send(KIND.end, EMPTY),
      close: complete =>
        complete ? this.close() : this.#goodbye('aborted', 'the stream was broken off before its end'),
    });
    return this.#stream;
  }

  /**
   * Says goodbye after everything already accepted is sent, waits for the peer to do the same for up to 2 s,
   * then cuts. Idempotent, never rejects. `reason` is told to the peer: up to 1,024 characters.
   */
  close(reason = ''): Promise<void> {
    return this.#goodbye('closed', reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    const { socket } = this.#secured;
    if (socket.destroyed) this.#finish();
    if (this.#finished) return;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.once('end', () => this.#lose('it ended without a goodbye'));
    if (socket.readableEnded) this.#lose('it ended without a goodbye');
    this.#tick();
    this.#pump();
  }

  #onData(chunk: Buffer): void {
    if (this.#reason) return; // the end has begun: what still comes is read only to let the peer finish
    this.#liveness.heard(performance.now());
    this.#secured.decoder.push(chunk);
    this.#pump();
  }

  /** Hands out frames until there are no more (then it reads on) or a consumer is full (then it stops reading). */
  #pump(): void {
    if (this.#pumping || !this.#started) return;
    this.#pumping = true;
    try {
      while (!this.#reason) {
        const frame = this.#inbox.blocked ? undefined : this.#secured.decoder.next();
        if (frame === undefined) {
          this.#read(!this.#inbox.blocked);
          return;
        }
        this.#take(frame);
      }
    } catch (error) {
      this.#fault(error);
    } finally {
      this.#pumping = false;
    }
  }

  #take({ kind, payload }: Frame): void {
    const { awaitingAccept } = this.#secured;
    if (kind === KIND.close) {
      this.#peerClosed(parseClose(payload));
      return;
    }
    if (awaitingAccept !== (kind === KIND.accept) || kind === KIND.hello) {
      throw new WayleaveError('protocol-error', `a frame of kind ${kind} out of place`);
    }
    if (kind === KIND.accept) this.#secured.awaitingAccept = false;
    if (kind === KIND.ping || kind === KIND.pong) this.#pings.take(kind, payload);
    if (kind === KIND.message || kind === KIND.end) {
      if (this.#peerEnded) throw new WayleaveError('protocol-error', 'a message after the end');
      if (kind === KIND.message) this.#inbox.deliver(payload);
      else this.#inbox.end(new WayleaveError('closed', 'the peer has ended its side'));
      this.#peerEnded = kind === KIND.end;
    }
  }

  #read(reads: boolean): void {
    if (reads === this.#reading) return;
    this.#reading = reads;
    this.#liveness.reading(reads, performance.now());
    const { socket } = this.#secured;
    if (reads) socket.resume();
    else socket.pause();
  }

  /** One timer a pipe: heartbeats when idle, and the verdict on a silent path. The socket keeps the process up. */
  #tick(): void {
    if (this.#reason) return;
    const next = this.#liveness.next(performance.now());
    if (next.action === 'dead') {
      this.#lose('nothing was heard from the peer');
      return;
    }
    if (next.action === 'heartbeat') {
      if (this.#outbox.idle) void this.#outbox.send(KIND.heartbeat, EMPTY);
      this.#liveness.wrote(performance.now()); // also when data is stuck: it will speak for us
    }
    const waitMs = next.action === 'wait' ? next.forMs : 0;
    this.#timer = setTimeout(() => this.#tick(), waitMs).unref();
  }

  #goodbye(code: CloseCode, message: string): Promise<void> {
    if (this.#begin({ code, by: 'local', message })) this.#sendClose(code, message);
    return this.closed.then(() => {});
  }

  #fault(error: unknown): void {
    const code =
      error instanceof WayleaveError && error.code === 'message-too-large' ? error.code : 'protocol-error';
    const message = error instanceof Error ? error.message : String(error);
    if (this.#begin({ code, by: 'local', message })) this.#sendClose(code, message);
  }

  #sendClose(code: CloseCode, message: string): void {
    this.#outbox.finish(encodeControl(KIND.close, closeContent(code, message)), closeError(this.#reason!));
    this.#drain();
  }

  #peerClosed(reason: CloseReason): void {
    if (!this.#begin(reason)) return;
    this.#outbox.abandon(closeError(reason));
    this.#secured.socket.end();
    this.#drain();
  }

  #lose(message: string): void {
    const reason: CloseReason = { code: 'connection-lost', by: 'network', message };
    if (!this.#begin(reason)) return;
    this.#outbox.abandon(closeError(reason));
    this.#secured.socket.destroy();
  }

  /** The first reason is the reason. */
  #begin(reason: CloseReason): boolean {
    if (this.#reason) return false;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#inbox.end(closeError(reason));
    this.#pings.end(closeError(reason));
    return true;
  }

  /** Reads to the peer's end, so that it receives ours (unread data would turn our end into a reset). */
  #drain(): void {
    this.#start();
    if (this.#finished) return;
    this.#read(true);
    this.#timer = setTimeout(() => this.#secured.socket.destroy(), DRAIN_MS);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#lose('it was cut');
    clearTimeout(this.#timer);
    this.#outbox.abandon(closeError(this.#reason!));
    void explained(this.#reason!, this.#secured.fault).then(reason => {
      this.#reason = reason;
      this.#resolveClosed(reason);
      this.#publish('pipe-closed');
    });
  }

  #publish(event: EventName): void {
    const { peer, direction, route } = this;
    publish(event, { attempt: this.#attempt, peer, direction, strategy: route.strategy, ...this.#reason });
  }
}
