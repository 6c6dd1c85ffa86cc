// The life of a channel, whatever it speaks: keeps one connection to its server for as long as it lives, and holds what
// is to be sent until the server has taken it. What was not acknowledged when a connection died is sent again on the
// next one; the receiver's replay window makes that harmless.
import { abortError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import { Scope } from '../net/scope.js';
import type { OnSignallingEvent } from './channel.js';
import { RetryPause } from './retry-pause.js';

/** Somebody waiting cuts the pause short, but tries stay this far apart. */
const NUDGED_SPACING_MS = 1_000;
const SEND_WITHIN_MS = 10_000;
/** A server that was there before may be restarting: so long, a failed try is not the last word for a message. */
const RESTART_MS = 2_000;
/** Sends that wait for the server at one time. */
const MAX_PENDING = 64;

export interface Ended {
  readonly error: WayleaveError;
  /** Another process took our place: two that take turns at once would never stop. */
  readonly takenOver?: boolean;
}

/** One connection, registered. */
export interface Session {
  /** To the server and back, milliseconds. */
  readonly roundTripMs: number;
  /** Resolves, never rejects, with why the connection ended. */
  readonly ended: Promise<Ended>;
  close(): Promise<void>;
}

export interface KeptConnectionOptions<S extends Session, Key, Item> {
  readonly url: string;
  readonly clock: Clock;
  readonly onEvent: OnSignallingEvent;
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined;
  /** Connects and registers. @throws WayleaveError */
  open(signal: AbortSignal): Promise<S>;
  /** Sends one item; called again for each new session until the item is settled. Never throws. */
  transmit(session: S, item: Item, key: Key): void;
}

interface Waiter {
  settle(error?: WayleaveError): void;
}
interface Pending<Item> extends Waiter {
  readonly item: Item;
  readonly since: number;
}

export class KeptConnection<S extends Session, Key, Item> implements AsyncDisposable {
  readonly #options: KeptConnectionOptions<S, Key, Item>;
  readonly #scope = new Scope();
  readonly #pending = new Map<Key, Pending<Item>>();
  readonly #waiters = new Set<Waiter>();
  readonly #running: Promise<void>;
  #session: S | undefined;
  #roundTripMs: number | undefined;
  #triedAt = 0;
  #lastFailure = 'not yet reached';
  #nudge: (() => void) | undefined;

  constructor(options: KeptConnectionOptions<S, Key, Item>) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** The present one. */
  get session(): S | undefined {
    return this.#session;
  }

  /** Of the present session or of the last one; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#session?.roundTripMs ?? this.#roundTripMs;
  }

  /** As `SignallingChannel.ready`. */
  ready(signal?: AbortSignal): Promise<void> {
    if (this.#session && !this.#scope.closed) return Promise.resolve();
    return this.#wait(signal, settle => {
      const waiter = { settle };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
  }

  /**
   * Transmits the item, now or as soon as there is a session, and waits until it is settled, 10 s at most.
   * @throws WayleaveError `server-unreachable`, `rate-limited`, `closed`, the abort error, or what it is settled with.
   */
  async dispatch(key: Key, item: Item, signal?: AbortSignal): Promise<void> {
    const { url, clock, transmit } = this.#options;
    if (this.#pending.size >= MAX_PENDING) {
      throw new WayleaveError('rate-limited', `${MAX_PENDING} messages already wait for ${url}`);
    }
    using deadline = clock.deadline(SEND_WITHIN_MS, signal);
    const settled = this.#wait(deadline.signal, settle => {
      this.#pending.set(key, { item, since: clock.now(), settle });
      return () => this.#pending.delete(key);
    });
    if (this.#session) transmit(this.#session, item, key);
    try {
      await settled;
    } catch (error) {
      if (!deadline.signal.aborted || signal?.aborted || this.#scope.closed) throw error;
      const why = this.#session ? 'did not acknowledge a message' : this.#lastFailure;
      throw new WayleaveError('server-unreachable', `${url}: ${why}`, { cause: error });
    }
  }

  /** What still waits under that key. */
  pending(key: Key): Item | undefined {
    return this.#pending.get(key)?.item;
  }

  /** Ends a dispatch; without effect when it has ended already. */
  settle(key: Key, error?: WayleaveError): void {
    this.#pending.get(key)?.settle(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#scope.close();
    for (const { settle } of [...this.#waiters, ...this.#pending.values()]) settle(this.#closed());
    await closing;
    await this.#running;
  }

  #closed(): WayleaveError {
    return new WayleaveError('closed', `the channel to ${this.#options.url} is closed`);
  }

  /** A promise that `enlist`'s callback settles, or the signal; it takes itself off whatever list it is on. */
  #wait(signal: AbortSignal | undefined, enlist: (settle: Waiter['settle']) => () => unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      if (this.#scope.closed) return reject(this.#closed());
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
    const { url, clock, onEvent, open, random = Math.random } = this.#options;
    const { signal } = this.#scope;
    const pause = new RetryPause(random);
    while (!signal.aborted) {
      this.#triedAt = clock.now();
      try {
        const session = await open(signal);
        const forget = this.#scope.defer(() => session.close());
        this.#registered(session);
        const { error, takenOver } = await session.ended;
        forget();
        this.#session = undefined;
        this.#lastFailure = error.message;
        if (signal.aborted) return;
        onEvent({ event: 'signalling-lost', url, reason: error.message });
        pause.lost(clock.now() - this.#triedAt);
        if (takenOver) pause.takenOver();
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

  #registered(session: S): void {
    const { url, onEvent, transmit } = this.#options;
    this.#session = session;
    this.#roundTripMs = session.roundTripMs;
    onEvent({ event: 'signalling-registered', url });
    for (const { settle } of [...this.#waiters]) settle();
    for (const [key, { item }] of [...this.#pending]) transmit(session, item, key);
  }

  #failed(error: WayleaveError): void {
    const { url, clock, onEvent } = this.#options;
    this.#lastFailure = error.message;
    onEvent({ event: 'signalling-unreachable', url, reason: error.message });
    for (const { settle } of [...this.#waiters]) settle(error);
    const wasHere = this.#roundTripMs !== undefined;
    const patientSince = wasHere ? clock.now() - RESTART_MS : Number.POSITIVE_INFINITY;
    for (const { since, settle } of [...this.#pending.values()]) if (since < patientSince) settle(error);
  }
}
