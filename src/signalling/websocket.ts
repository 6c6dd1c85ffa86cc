// The channel to one self-hosted server: keeps itself registered, for as long as it lives, and sends what it is
// given as soon as it can. What was not acknowledged when a connection died is sent again on the next one; the
// receiver's replay window makes that harmless.
import { abortError, WayleaveError } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import type { Clock } from '../net/clock.js';
import { Scope } from '../net/scope.js';
import type { OnSignallingEvent, Parcel, SignallingChannel } from './channel.js';
import { CLOSE_CODES, type ClientFrames, type Greeting, type ServerFrame } from './frames.js';
import { Listeners } from './listeners.js';
import { register, type Session } from './registration.js';
import { RetryPause } from './retry-pause.js';

/** Somebody waiting cuts the pause short, but tries stay this far apart. */
const NUDGED_SPACING_MS = 1_000;
const SEND_WITHIN_MS = 10_000;
/** A server that was there before may be restarting: so long, a failed try is not the last word for a message. */
const RESTART_MS = 2_000;
/** Sends that wait for the server at one time. */
const MAX_PENDING = 64;

interface Pending {
  readonly frame: ClientFrames['send'];
  readonly since: number;
  settle(error?: WayleaveError): void;
}
interface Waiter {
  settle(error?: WayleaveError): void;
}

export interface WebSocketChannelOptions {
  /** As `parseServerUrl` gave it. */
  readonly url: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly onEvent: OnSignallingEvent;
  /** Whether the host's name may lead to this IP address. Default: to any. */
  readonly admitAddress?: ((ip: string) => boolean) | undefined;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export class WebSocketChannel implements SignallingChannel {
  readonly url: string;
  readonly #options: WebSocketChannelOptions;
  readonly #scope = new Scope();
  readonly #parcels: Listeners<[Parcel]>;
  readonly #greetings: Listeners<[Greeting]>;
  readonly #pending = new Map<number, Pending>();
  readonly #waiters = new Set<Waiter>();
  readonly #running: Promise<void>;
  #session: Session | undefined;
  #greeting: Greeting | undefined;
  #roundTripMs: number | undefined;
  #nextRef = 1;
  #triedAt = 0;
  #lastFailure = 'not yet reached';
  #nudge: (() => void) | undefined;

  constructor(options: WebSocketChannelOptions) {
    this.url = options.url;
    this.#options = options;
    const onError = (error: unknown) => options.onEvent({ event: 'handler-failed', error });
    this.#parcels = new Listeners(onError);
    this.#greetings = new Listeners(onError);
    this.#running = this.#run();
  }

  get registered(): boolean {
    return this.#session !== undefined;
  }

  get roundTripMs(): number | undefined {
    return this.#session?.roundTripMs ?? this.#roundTripMs;
  }

  get greeting(): Greeting | undefined {
    return this.#greeting;
  }

  onParcel(handler: (parcel: Parcel) => unknown): Disposable {
    return this.#parcels.add(handler);
  }

  onGreeting(handler: (greeting: Greeting) => unknown): Disposable {
    return this.#greetings.add(handler);
  }

  ready(signal?: AbortSignal): Promise<void> {
    if (this.#session && !this.#scope.closed) return Promise.resolve();
    return this.#wait(signal, settle => {
      const waiter = { settle };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
  }

  async send(to: NodeId, box: Buffer, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#pending.size >= MAX_PENDING) {
      throw new WayleaveError('rate-limited', `${MAX_PENDING} messages already wait for ${this.url}`);
    }
    using deadline = this.#options.clock.deadline(SEND_WITHIN_MS, signal);
    const ref = this.#nextRef;
    this.#nextRef = (ref + 1) % 0x1_0000_0000;
    const frame = { type: 'send', ref, to, box: box.toString('base64') } as const;
    const acknowledged = this.#wait(deadline.signal, settle => {
      this.#pending.set(ref, { frame, since: this.#options.clock.now(), settle });
      return () => this.#pending.delete(ref);
    });
    this.#session?.send(frame);
    try {
      await acknowledged;
    } catch (error) {
      if (!deadline.signal.aborted || signal?.aborted || this.#scope.closed) throw error;
      const why = this.#session ? 'did not acknowledge a message' : this.#lastFailure;
      throw new WayleaveError('server-unreachable', `${this.url}: ${why}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#scope.close();
    const closed = new WayleaveError('closed', `the channel to ${this.url} is closed`);
    for (const { settle } of [...this.#waiters, ...this.#pending.values()]) settle(closed);
    await closing;
    await this.#running;
  }

  /** A promise that `enlist`'s callback settles, or the signal; it takes itself off whatever list it is on. */
  #wait(signal: AbortSignal | undefined, enlist: (settle: Waiter['settle']) => () => unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      if (this.#scope.closed)
        return reject(new WayleaveError('closed', `the channel to ${this.url} is closed`));
      const settle = (error?: WayleaveError) => {
        leave();
        signal?.removeEventListener('abort', onAbort);
        if (error) reject(error);
        else resolve();
      };
      const onAbort = () => settle(abortError(signal!));
      const leave = enlist(settle);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#nudge?.();
    });
  }

  async #run(): Promise<void> {
    const { clock, onEvent, random = Math.random, ...options } = this.#options;
    const { signal } = this.#scope;
    const pause = new RetryPause(random);
    while (!signal.aborted) {
      this.#triedAt = clock.now();
      try {
        const onGreeting = (greeting: Greeting) => this.#welcomed(greeting);
        const onFrame = (frame: ServerFrame | undefined) => this.#received(frame);
        const session = await register({ ...options, clock, signal, onGreeting, onFrame });
        const forget = this.#scope.defer(() => session.close());
        this.#registered(session);
        const { error, closeCode } = await session.ended;
        forget();
        this.#session = undefined;
        this.#lastFailure = error.message;
        if (signal.aborted) return;
        onEvent({ event: 'signalling-lost', url: this.url, reason: error.message });
        pause.lost(clock.now() - this.#triedAt);
        if (closeCode === CLOSE_CODES.takenOver) pause.takenOver();
      } catch (error) {
        if (signal.aborted) return;
        pause.failed();
        this.#failed(error as WayleaveError);
      }
      await this.#pause(pause.nextMs());
    }
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#scope;
    const until = clock.now() + ms;
    using pause = clock.deadline(ms, signal);
    await new Promise<void>(resolve => {
      pause.signal.addEventListener('abort', () => resolve(), { once: true });
      this.#nudge = resolve;
      if (pause.signal.aborted || this.#waiters.size + this.#pending.size > 0) resolve();
    });
    this.#nudge = undefined;
    const restMs = Math.min(until, this.#triedAt + NUDGED_SPACING_MS) - clock.now();
    if (restMs > 0) await clock.sleep(restMs, signal).catch(() => {});
  }

  #registered(session: Session): void {
    this.#session = session;
    this.#roundTripMs = session.roundTripMs;
    this.#options.onEvent({ event: 'signalling-registered', url: this.url });
    for (const { settle } of [...this.#waiters]) settle();
    for (const { frame } of this.#pending.values()) session.send(frame);
  }

  #failed(error: WayleaveError): void {
    this.#lastFailure = error.message;
    this.#options.onEvent({ event: 'signalling-unreachable', url: this.url, reason: error.message });
    for (const { settle } of [...this.#waiters]) settle(error);
    const patientSince = this.#greeting ? this.#options.clock.now() - RESTART_MS : Number.POSITIVE_INFINITY;
    for (const { since, settle } of [...this.#pending.values()]) if (since < patientSince) settle(error);
  }

  #welcomed(greeting: Greeting): void {
    this.#greeting = greeting;
    this.#greetings.emit(greeting);
  }

  #received(frame: ServerFrame | undefined): void {
    const { onEvent } = this.#options;
    if (frame?.type === 'deliver') {
      const { from, seenFrom, box } = frame;
      this.#parcels.emit({ from, seenFrom, box: Buffer.from(box, 'base64') });
    } else if (frame?.type === 'sent') {
      for (const ref of frame.refs) this.#pending.get(ref)?.settle();
    } else if (frame?.type === 'undelivered') {
      for (const ref of frame.refs) this.#pending.get(ref)?.settle(undelivered(this.url, frame.reason));
    } else if (frame?.type === 'goodbye') {
      onEvent({ event: 'signalling-goodbye', url: this.url, reason: frame.reason });
    } else if (frame === undefined) {
      onEvent({ event: 'signalling-ignored', url: this.url, reason: 'unknown-frame' });
    }
  }
}

function undelivered(url: string, reason: string): WayleaveError {
  switch (reason) {
    case 'not-here':
      return new WayleaveError('peer-not-registered', `${url}: the other node is not registered there`);
    case 'too-slow':
      return new WayleaveError('peer-not-registered', `${url}: the other node had stopped reading`);
    case 'rate-limited':
      return new WayleaveError('rate-limited', `${url}: too many messages in a short time`);
    default:
      return new WayleaveError('server-refused', `${url}: not delivered (${reason})`);
  }
}
