// Waiting that something may cut short: the mapper sleeps until its next duty, or until the gateway is heard.
import { abortError } from '../errors.js';
import type { Clock } from '../net/clock.js';

/** One waiter at a time; a ring while nobody waits is kept for the next. */
export class Doorbell<Ring> {
  #rung: { ring: Ring } | undefined;
  #waiter: AbortController | undefined;

  ring(ring: Ring): void {
    this.#rung = { ring };
    this.#waiter?.abort();
  }

  /** What was rung, or undefined when the time passed; rejects with the signal's abort error. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<Ring | undefined> {
    if (signal.aborted) throw abortError(signal);
    if (!this.#rung) {
      const waiter = (this.#waiter = new AbortController());
      const onAbort = () => waiter.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        await clock.sleep(ms, waiter.signal);
      } catch {
        if (signal.aborted) throw abortError(signal);
      } finally {
        signal.removeEventListener('abort', onAbort);
        this.#waiter = undefined;
      }
    }
    const rung = this.#rung;
    this.#rung = undefined;
    return rung?.ring;
  }
}
