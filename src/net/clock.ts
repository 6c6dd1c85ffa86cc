// Time, handed in wherever something waits, so that tests can hold it. `now` is monotonic and measures
// durations; `wall` is the calendar and is used only for expiry, with tolerance.
import { abortError, WayleaveError } from '../errors.js';

/** A signal that aborts after a time; disposing it stops the timer and lets go of the parent. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970; may jump. */
  wall(): number;
  /** Settles after `ms`, or rejects with the abort error. Keeps the process alive while it waits. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts after `ms` (with a `timeout` error) or with its parent, whichever is first. */
  deadline(ms: number, parent?: AbortSignal): Deadline;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),

  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const onAbort = () => {
        clearTimeout(timer);
        reject(abortError(signal!));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },

  // Not AbortSignal.timeout: that one is unref'd, and a process that waits only on it exits silently.
  deadline(ms, parent) {
    const controller = new AbortController();
    const timer = setTimeout(
      () => controller.abort(new WayleaveError('timeout', `no result within ${Math.round(ms)} ms`)),
      ms,
    );
    const onAbort = () => {
      clearTimeout(timer);
      controller.abort(parent!.reason);
    };
    if (parent?.aborted) onAbort();
    else parent?.addEventListener('abort', onAbort, { once: true });
    return {
      signal: controller.signal,
      [Symbol.dispose]() {
        clearTimeout(timer);
        parent?.removeEventListener('abort', onAbort);
      },
    };
  },
};
