// What a strategy lets run beside its main course: messages on their way, requests whose answer is not waited for.
// The first failure of any calls all others back, and is what the main course then fails with.
import { WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';

const OVER = new WayleaveError('aborted', 'the main course is over');

export class SideTasks implements Disposable {
  readonly #failed = new AbortController();
  readonly #life: Disposable & { readonly signal: AbortSignal };

  constructor(clock: Clock, signal: AbortSignal) {
    this.#life = clock.deadline(2 ** 30, [signal, this.#failed.signal]);
  }

  /** For everything that is done meanwhile. Aborts with the failure of a task, or with the signal handed in. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** The same promise, watched. */
  run<T>(task: Promise<T>): Promise<T> {
    task.catch(error => this.#failed.abort(error));
    return task;
  }

  [Symbol.dispose](): void {
    this.#failed.abort(OVER);
    this.#life[Symbol.dispose]();
  }
}
