// The callbacks that get every message: one set on each pipe, one on the node for all its pipes. A handler that
// throws or rejects is reported, never fatal, and never keeps the others from their message.
import type { NodeId } from '../identity/node-id.js';

/** Who sent a message. */
export interface Client {
  /** Proved by the handshake. */
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
}

/** Called once a message, in order; a returned promise is waited for only to bound how many are at work. */
export type Handler<Via> = (message: Buffer, client: Client, pipe: Via) => unknown;

/** `Via` is the pipe that the messages come through. */
export class MessageHandlers<Via> {
  #handlers: readonly Handler<Via>[] = [];
  readonly #watchers = new Set<() => void>();

  get size(): number {
    return this.#handlers.length;
  }

  /** Adds a handler (the same function twice counts twice); disposing the result removes it. */
  add(handler: Handler<Via>): Disposable {
    const entry: Handler<Via> = (message, client, pipe) => handler(message, client, pipe);
    this.#set([...this.#handlers, entry]);
    return {
      [Symbol.dispose]: () => {
        if (this.#handlers.includes(entry)) this.#set(this.#handlers.filter(other => other !== entry));
      },
    };
  }

  /** Calls `watcher` whenever a handler came or went; returns what ends that. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Calls every handler; what comes back settles (never rejects) when those that are async are done. */
  emit(
    message: Buffer,
    client: Client,
    pipe: Via,
    onError: (error: unknown) => void,
  ): Promise<unknown> | undefined {
    let working: Promise<unknown> | undefined;
    for (const handler of this.#handlers) {
      try {
        const result = handler(message, client, pipe);
        if (!isThenable(result)) continue;
        const settled = Promise.resolve(result).catch(onError);
        working = working === undefined ? settled : Promise.all([working, settled]);
      } catch (error) {
        onError(error);
      }
    }
    return working;
  }

  #set(handlers: readonly Handler<Via>[]): void {
    this.#handlers = handlers;
    for (const watcher of this.#watchers) watcher();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
