// Time, handed in wherever something waits, so that tests can hold it. `now` is monotonic and measures
// durations; `wall` is the calendar and is used only for expiry, with tolerance.
import { abortError, WayleaveError } from '../errors.js';

/** A signal that aborts after a time; disposing it stops the timer and lets go of the parents. */
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
  /**
   * A signal that aborts after `ms` or with one of its parents, whichever is first.
   * @param expired the reason when time is over; default: a `timeout` error.
   */
  deadline(
    ms: number,
    parents?: AbortSignal | readonly (AbortSignal | undefined)[],
    expired?: () => WayleaveError,
  ): Deadline;
}

/** The longest wait that a timer can hold, 24.8 days: it takes more for 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

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
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.min(ms, LONGEST_MS),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },

  // Not AbortSignal.timeout: that one is unref'd, and a process that waits only on it exits silently.
  deadline(ms, parents = [], expired = () => timeoutError(ms)) {
    const controller = new AbortController();
    const linked =
      parents instanceof AbortSignal ? [parents] : parents.filter(parent => parent !== undefined);
    const onTime = () => {
      release();
      controller.abort(expired());
    };
    const timer = setTimeout(onTime, Math.min(ms, LONGEST_MS));
    const release = () => {
      clearTimeout(timer);
      for (const parent of linked) parent.removeEventListener('abort', onAbort);
    };
    const onAbort = (event: { target: unknown }) => {
      release();
      controller.abort((event.target as AbortSignal).reason);
    };
    for (const parent of linked) parent.addEventListener('abort', onAbort, { once: true });
    const aborted = linked.find(parent => parent.aborted);
    if (aborted) onAbort({ target: aborted });
    return { signal: controller.signal, [Symbol.dispose]: release };
  },
};

function timeoutError(ms: number): WayleaveError {
  return new WayleaveError('timeout', `no result within ${Math.round(ms)} ms`);
}
