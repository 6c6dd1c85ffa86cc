// Ownership: whatever is acquired is given to a scope at once, and the scope releases it in reverse order,
// exactly once, whatever fails on the way.
import { setMaxListeners } from 'node:events';
import { WayleaveError } from '../errors.js';

type Release = () => unknown;

/** One for all: scopes come and go with every connection, and a stack says nothing here. */
const CLOSED = new WayleaveError('closed', 'closed by its owner');

export class Scope implements AsyncDisposable {
  readonly #releases = new Set<Release>();
  readonly #controller = new AbortController();
  readonly #onReleaseError: (error: unknown) => void;
  #closing: Promise<void> | undefined;

  /** @param onReleaseError hears what a release threw; releasing goes on all the same. */
  constructor(onReleaseError: (error: unknown) => void = () => {}) {
    this.#onReleaseError = onReleaseError;
    setMaxListeners(0, this.#controller.signal); // whatever waits in this scope listens to it
  }

  /** Aborts (code `closed`) as soon as the scope begins to close: hand it to whatever waits. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Owns a disposable and returns it. In a closed scope it is released at once. */
  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    this.defer(() =>
      Symbol.asyncDispose in resource
        ? (resource as AsyncDisposable)[Symbol.asyncDispose]()
        : (resource as Disposable)[Symbol.dispose](),
    );
    return resource;
  }

  /** Runs `release` when the scope closes. Returns a function that takes it back, without running it. */
  defer(release: Release): () => void {
    if (this.#closing) {
      void this.#run(release);
      return () => {};
    }
    const entry: Release = () => release();
    this.#releases.add(entry);
    return () => this.#releases.delete(entry);
  }

  /** A scope that closes with this one, or by itself before. */
  child(): Scope {
    const child = new Scope(this.#onReleaseError);
    const forget = this.defer(() => child.close());
    child.defer(forget);
    return child;
  }

  /** Releases everything, last acquired first. Idempotent, never rejects. */
  close(): Promise<void> {
    if (!this.#closing) {
      // closed first of all: what abort listeners and releases acquire is then released at once
      this.#closing = Promise.resolve().then(() => this.#releaseAll());
      this.#controller.abort(CLOSED);
    }
    return this.#closing;
  }

  async #releaseAll(): Promise<void> {
    for (const release of [...this.#releases].reverse()) {
      if (this.#releases.delete(release)) await this.#run(release); // not if taken back meanwhile
    }
  }

  async #run(release: Release): Promise<void> {
    try {
      await release();
    } catch (error) {
      this.#onReleaseError(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
