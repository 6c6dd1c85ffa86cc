// Answers that come later: how a client learns for how long its NAT remembers an idle UDP mapping, without
// RESPONSE-PORT, which is refused. Our extension of RFC 5780 section 4.6 (docs/nat-behaviour.md): one answer
// to one request, to its own source, as always; only later.
import { sourceOf } from '../source-limiter.js';

/** Ten minutes: RFC 4787 REQ-5 asks NATs for two, and recommends five. */
const MAX_DELAY_S = 600;
const MAX_PENDING = 1_024;
const MAX_PENDING_OF_SOURCE = 32;

export class DelayedAnswers implements Disposable {
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #bySource = new Map<string, number>();

  /** Runs `send` after the delay; false, and never, when too many wait already or the delay is out of range. */
  schedule(host: string, seconds: number, send: () => void): boolean {
    const source = sourceOf(host);
    const ofSource = this.#bySource.get(source) ?? 0;
    const full = this.#timers.size >= MAX_PENDING || ofSource >= MAX_PENDING_OF_SOURCE;
    if (full || seconds < 1 || seconds > MAX_DELAY_S) return false;
    this.#bySource.set(source, ofSource + 1);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
      send();
    }, seconds * 1_000);
    this.#timers.add(timer);
    return true;
  }

  /** How many wait. */
  get size(): number {
    return this.#timers.size;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#bySource.clear();
  }
}
