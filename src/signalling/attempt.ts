// What one attempt sees of signalling: only messages of that attempt, from that peer, from the other end of it.
// Lives until disposed; what arrives for it afterwards is dropped.
import { abortError, WayleaveError } from '../errors.js';
import type { AttemptChannel, Heard, NextOptions, Recipient, SignallingChannel } from './channel.js';
import { type Handler, Listeners } from './listeners.js';
import type { MessageType, PeerMessage, Side } from './messages.js';

/** Messages that nobody has asked for yet; then the oldest gives way. */
const QUEUE_LIMIT = 32;

interface Waiter {
  fits(heard: Heard): boolean;
  settle(heard: Heard | WayleaveError): void;
}

/** How a view is bound to the rest: signalling.ts hands these in. */
export interface AttemptBinding {
  readonly id: string;
  readonly peer: Recipient;
  readonly side: Side;
  send(
    body: PeerMessage,
    heardOn: SignallingChannel | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void>;
  onDropped(why: 'queue-full', via: SignallingChannel): void;
  onHandlerError(error: unknown): void;
  onDispose(): void;
}

export class Attempt implements AttemptChannel {
  readonly #binding: AttemptBinding;
  readonly #queue: Heard[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #handlers: Listeners<[Heard]>;
  #heardOn: SignallingChannel | undefined;
  #disposed = false;

  constructor(binding: AttemptBinding, heardOn?: SignallingChannel) {
    this.#binding = binding;
    this.#heardOn = heardOn;
    this.#handlers = new Listeners(error => binding.onHandlerError(error));
  }

  get id(): string {
    return this.#binding.id;
  }

  get peer(): Recipient {
    return this.#binding.peer;
  }

  get side(): Side {
    return this.#binding.side;
  }

  async send(body: PeerMessage, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#disposed) throw this.#closed();
    await this.#binding.send(body, this.#heardOn, signal);
  }

  next<Type extends MessageType>(
    types: Type | readonly Type[],
    { signal, where = () => true }: NextOptions<Type> = {},
  ): Promise<Heard<Type>> {
    return new Promise((resolve, reject) => {
      const wanted: readonly MessageType[] = typeof types === 'string' ? [types] : (types as readonly Type[]);
      if (signal?.aborted) return reject(abortError(signal));
      if (this.#disposed) return reject(this.#closed());
      const fits = (heard: Heard) => wanted.includes(heard.body.type) && where(heard as Heard<Type>);
      const at = this.#queue.findIndex(fits);
      if (at >= 0) return resolve(this.#queue.splice(at, 1)[0] as Heard<Type>);
      const onAbort = () => waiter.settle(abortError(signal!));
      const waiter: Waiter = {
        fits,
        settle: heard => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener('abort', onAbort);
          if (heard instanceof WayleaveError) reject(heard);
          else resolve(heard as Heard<Type>);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  onMessage(handler: Handler<[Heard]>): Disposable {
    const subscription = this.#handlers.add(handler);
    const earlier = [...this.#queue];
    const once = new Listeners<[Heard]>(error => this.#binding.onHandlerError(error));
    const former = once.add(handler);
    queueMicrotask(() => {
      for (const heard of earlier) once.emit(heard);
    });
    return {
      [Symbol.dispose]() {
        subscription[Symbol.dispose]();
        former[Symbol.dispose]();
      },
    };
  }

  /** A message for this attempt has arrived. */
  receive(heard: Heard): void {
    this.#heardOn = heard.via;
    this.#handlers.emit(heard);
    const waiter = [...this.#waiters].find(({ fits }) => fits(heard));
    if (waiter) {
      waiter.settle(heard);
      return;
    }
    this.#queue.push(heard);
    if (this.#queue.length <= QUEUE_LIMIT) return;
    this.#queue.shift();
    if (this.#handlers.size === 0) this.#binding.onDropped('queue-full', heard.via);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const waiter of [...this.#waiters]) waiter.settle(this.#closed());
    this.#queue.length = 0;
    this.#binding.onDispose();
  }

  #closed(): WayleaveError {
    return new WayleaveError('closed', `attempt ${this.id} is over`);
  }
}
