// Messages that went to another process and whose outcome is not yet known: bounded in number and size, each
// settled exactly once, by its outcome or by its time. What comes later finds nothing to settle.
import type { Clock } from '../../src/net/clock.js';
import type { Outcome } from './backplane.js';

/** A hundred times what a busy process has under way when all is well; beyond it NATS or a process has stalled. */
const MAX_PENDING = 32_768;
/** What those may hold together: frames wait in the client's buffers while NATS does not read. */
const MAX_PENDING_CHARACTERS = 64 * 1024 * 1024;
/** Well above any round trip between machines that serve one service; well below the 10 s that nodes wait. */
const OUTCOME_WITHIN_MS = 2_000;

interface Pending {
  readonly characters: number;
  readonly dueAt: number;
  readonly settle: (outcome: Outcome) => void;
}

export class PendingOutcomes {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** In the order of their beginning, and so of their time limits. */
  readonly #pending = new Map<number, Pending>();
  #nextRef = 1;
  #characters = 0;
  #sweeping = false;
  /** How many were settled by their time. */
  timedOut = 0;

  /** @param signal ends the wait for time limits; `settleAll` is the owner's to call. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** A reference for one more message, and what will become of it. Undefined: too many are under way. */
  begin(characters: number): { readonly ref: number; readonly outcome: Promise<Outcome> } | undefined {
    if (this.#pending.size >= MAX_PENDING || this.#characters + characters > MAX_PENDING_CHARACTERS)
      return undefined;
    const ref = this.#nextRef;
    this.#nextRef = (ref + 1) % Number.MAX_SAFE_INTEGER;
    this.#characters += characters;
    const outcome = new Promise<Outcome>(settle => {
      this.#pending.set(ref, { characters, dueAt: this.#clock.now() + OUTCOME_WITHIN_MS, settle });
    });
    if (!this.#sweeping) void this.#sweep();
    return { ref, outcome };
  }

  settle(ref: number, outcome: Outcome): void {
    const pending = this.#pending.get(ref);
    if (!pending) return;
    this.#pending.delete(ref);
    this.#characters -= pending.characters;
    pending.settle(outcome);
  }

  settleAll(outcome: Outcome): void {
    for (const ref of [...this.#pending.keys()]) this.settle(ref, outcome);
  }

  async #sweep(): Promise<void> {
    this.#sweeping = true;
    while (this.#pending.size > 0 && !this.#signal.aborted) {
      const [oldest] = this.#pending.values();
      await this.#clock.sleep(Math.max(1, oldest!.dueAt - this.#clock.now()), this.#signal).catch(() => {});
      const now = this.#clock.now();
      for (const [ref, { dueAt }] of this.#pending) {
        if (dueAt > now) break;
        this.timedOut++;
        this.settle(ref, 'unavailable');
      }
    }
    this.#sweeping = false;
  }
}
