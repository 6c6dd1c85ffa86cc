// A clock that stands still until it is told to go on: hours of leases pass in milliseconds.
import { setImmediate as turn } from 'node:timers/promises';
import { abortError, WayleaveError } from '../../../../src/errors.js';
import type { Clock, Deadline } from '../../../../src/net/clock.js';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  /** How many waits are pending: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      const cancel = this.#set(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(abortError(signal!));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  deadline(
    ms: number,
    parents: AbortSignal | readonly (AbortSignal | undefined)[] = [],
    expired = () => new WayleaveError('timeout', `no result within ${ms} ms`),
  ): Deadline {
    const controller = new AbortController();
    const cancel = this.#set(ms, () => controller.abort(expired()));
    const linked = [parents].flat().filter(parent => parent !== undefined);
    const release = () => {
      cancel();
      for (const parent of linked) parent.removeEventListener('abort', onAbort);
    };
    const onAbort = () => {
      release();
      controller.abort(linked.find(parent => parent.aborted)?.reason);
    };
    for (const parent of linked) parent.addEventListener('abort', onAbort, { once: true });
    if (linked.some(parent => parent.aborted)) onAbort();
    return { signal: controller.signal, [Symbol.dispose]: release };
  }

  /** Lets time pass, timer by timer, and what each sets off run. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (!next || next.atMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.fire();
    }
    this.#nowMs = untilMs;
    await settle();
  }

  #set(ms: number, fire: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** Lets everything that can go on without time go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await turn();
}
