// A set of handlers that can be left again. One that throws, or rejects, is reported and disturbs no other.

export type Handler<Args extends unknown[]> = (...args: Args) => unknown;

export class Listeners<Args extends unknown[]> {
  readonly #handlers = new Set<Handler<Args>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get size(): number {
    return this.#handlers.size;
  }

  add(handler: Handler<Args>): Disposable {
    const own: Handler<Args> = (...args) => handler(...args);
    this.#handlers.add(own);
    return { [Symbol.dispose]: () => void this.#handlers.delete(own) };
  }

  emit(...args: Args): void {
    for (const handler of [...this.#handlers]) void this.#call(handler, args);
  }

  async #call(handler: Handler<Args>, args: Args): Promise<void> {
    try {
      await handler(...args);
    } catch (error) {
      this.#onError(error);
    }
  }
}
