// The receiving half of a pipe: who gets each message, and when the pipe must stop reading. Every handler and
// every subscription sees every message. The queue behind `recv` and iteration exists from the pipe's birth; as
// long as nobody has asked for it and somebody else consumes, its oldest messages give way.

import type { WayleaveError } from '../errors.js';
import type { Client, Handler } from './message-handlers.js';
import { MessageHandlers } from './message-handlers.js';
import {
  DEFAULT_QUEUE_BYTES,
  DEFAULT_QUEUE_MESSAGES,
  MessageQueue,
  type QueueLimits,
} from './message-queue.js';

/** Which messages a subscription wants. */
export type MessageFilter = (message: Buffer) => boolean;

export interface InboxOptions<Via> {
  readonly nodeHandlers?: MessageHandlers<Via> | undefined;
  readonly onError: (error: unknown) => void;
  readonly queue?: QueueLimits | undefined;
  /** Told when something that was full has room again. */
  readonly onSpace: () => void;
}

export class Inbox<Via> {
  readonly #pipe: Via;
  readonly #client: Client;
  readonly #options: InboxOptions<Via>;
  readonly #queue: MessageQueue;
  #handlers: MessageHandlers<Via> | undefined;
  #subscriptions: readonly Subscription[] = [];
  #claimed = false;
  /** What asynchronous handlers have begun and not finished. */
  #workingMessages = 0;
  #workingBytes = 0;
  #ended: WayleaveError | undefined;
  readonly #unwatch: (() => void) | undefined;

  constructor(pipe: Via, client: Client, options: InboxOptions<Via>) {
    this.#pipe = pipe;
    this.#client = client;
    this.#options = options;
    this.#queue = new MessageQueue(options.queue ?? {}, options.onSpace);
    this.#unwatch = options.nodeHandlers?.watch(options.onSpace);
  }

  /** The queue behind `recv`. Who asks for it means to read it: from now on nothing in it gives way. */
  claim(): MessageQueue {
    this.#claimed = true;
    return this.#queue;
  }

  /** Whether reading must wait for a consumer. */
  get blocked(): boolean {
    if (this.#workingMessages > 0) {
      const { maxMessages = DEFAULT_QUEUE_MESSAGES, maxBytes = DEFAULT_QUEUE_BYTES } =
        this.#options.queue ?? {};
      if (this.#workingMessages >= maxMessages || this.#workingBytes >= maxBytes) return true;
    }
    for (const subscription of this.#subscriptions) if (subscription.full) return true;
    return this.#queue.full && !this.#givesWay;
  }

  get #givesWay(): boolean {
    if (this.#claimed) return false;
    const { nodeHandlers } = this.#options;
    return this.#subscriptions.length > 0 || !!this.#handlers?.size || !!nodeHandlers?.size;
  }

  deliver(message: Buffer): void {
    const { nodeHandlers } = this.#options;
    if (nodeHandlers?.size) this.#run(nodeHandlers, message);
    if (this.#handlers?.size) this.#run(this.#handlers, message);
    for (const subscription of this.#subscriptions) subscription.offer(message, this.#options.onError);
    this.#queue.push(message);
    if (this.#queue.full && this.#givesWay) this.#queue.makeRoom();
  }

  onMessage(handler: Handler<Via>): Disposable {
    if (this.#handlers === undefined) {
      this.#handlers = new MessageHandlers();
      this.#handlers.watch(this.#options.onSpace);
    }
    return this.#handlers.add(handler);
  }

  subscribe(filter: MessageFilter | undefined, limits: QueueLimits): Subscription {
    const subscription = new Subscription(filter, limits, this.#options.onSpace, gone => {
      this.#subscriptions = this.#subscriptions.filter(other => other !== gone);
    });
    if (this.#ended) subscription.end(this.#ended);
    else this.#subscriptions = [...this.#subscriptions, subscription];
    return subscription;
  }

  /** No more messages will come. What is queued can still be read. */
  end(error: WayleaveError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#unwatch?.();
    this.#queue.end(error);
    for (const subscription of this.#subscriptions) subscription.end(error);
  }

  #run(handlers: MessageHandlers<Via>, message: Buffer): void {
    const working = handlers.emit(message, this.#client, this.#pipe, this.#options.onError);
    if (working === undefined) return;
    this.#workingMessages++;
    this.#workingBytes += message.length;
    void working.then(() => {
      this.#workingMessages--;
      this.#workingBytes -= message.length;
      this.#options.onSpace();
    });
  }
}

/** An independent bounded queue of the messages that pass a filter. Full, it makes the peer wait. */
export class Subscription extends MessageQueue {
  readonly #filter: MessageFilter | undefined;
  readonly #onDispose: (gone: Subscription) => void;

  /** Made by `pipe.subscribe`. */
  constructor(
    filter: MessageFilter | undefined,
    limits: QueueLimits,
    onSpace: () => void,
    onDispose: (gone: Subscription) => void,
  ) {
    super(limits, onSpace);
    this.#filter = filter;
    this.#onDispose = onDispose;
  }

  /** Called by the pipe. */
  offer(message: Buffer, onError: (error: unknown) => void): void {
    try {
      if (this.#filter === undefined || this.#filter(message)) this.push(message);
    } catch (error) {
      onError(error);
    }
  }

  override [Symbol.dispose](): void {
    this.#onDispose(this);
    super[Symbol.dispose]();
  }
}
