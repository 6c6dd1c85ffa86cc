// A clock that stands still until a test moves it: hours pass in milliseconds, and the calendar can be set
// wrong. Everything that can go on without time goes on before the next timer fires.
import { setImmediate as turn } from 'node:timers/promises';
import { abortError, WayleaveError } from '../src/errors.js';
import type { Clock, Deadline } from '../src/net/clock.js';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  /** In the order in which they were set: equal times fire in that order. */
  readonly #timers = new Set<Timer>();

  /** @param startWallMs the calendar's time at the start; default: a day in November 2023. */
  constructor(startWallMs = 1_700_000_000_000) {
    this.#wallOffsetMs = startWallMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  /** Moves the calendar, by minutes or years, forward or back; durations stay what they were. */
  setWall(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#nowMs;
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
    expired: () => WayleaveError = () => new WayleaveError('timeout', `no result within ${ms} ms`),
  ): Deadline {
    const controller = new AbortController();
    const linked = (parents instanceof AbortSignal ? [parents] : parents).filter(
      parent => parent !== undefined,
    );
    const end = (reason?: unknown) => {
      cancel();
      for (const parent of linked) parent.removeEventListener('abort', onAbort);
      if (reason !== undefined) controller.abort(reason);
    };
    const onAbort = (event: { target: unknown }) => end((event.target as AbortSignal).reason);
    const cancel = this.#set(ms, () => end(expired()));
    for (const parent of linked) parent.addEventListener('abort', onAbort, { once: true });
    const aborted = linked.find(parent => parent.aborted);
    if (aborted) end(aborted.reason);
    return { signal: controller.signal, [Symbol.dispose]: () => end() };
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
