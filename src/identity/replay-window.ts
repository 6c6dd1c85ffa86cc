// Lets each signed message through once. A message is fresh while its sender's clock and ours agree within the
// tolerance; within that span it must be new. What passed is remembered as 48 bits of a salted hash, by the minute
// in which it was sent. Memory is bounded, and what is forgotten raises a floor below which nothing is accepted:
// under a flood this errs by refusing, never by replaying. Strangers share the memory with everybody, so it is
// sized for a flood that lasts (at 290 messages a second it still holds all that is fresh).
import { createHash, randomBytes } from 'node:crypto';
import type { NodeId } from './node-id.js';

const MINUTE_MS = 60_000;

interface Minute {
  readonly passed: Set<number>;
  latest: number;
}

export class ReplayWindow {
  readonly #toleranceMs: number;
  readonly #maxMessages: number;
  readonly #salt = randomBytes(16); // nobody else can tell which messages collide
  readonly #minutes = new Map<number, Minute>();
  /** Nothing sent at or before this time is accepted any more. */
  #floor = Number.NEGATIVE_INFINITY;
  #size = 0;

  constructor(options: { toleranceMs?: number; maxMessages?: number } = {}) {
    this.#toleranceMs = options.toleranceMs ?? 15 * MINUTE_MS;
    this.#maxMessages = options.maxMessages ?? 524_288; // 27 MB if it ever comes to that
  }

  /** How many messages are remembered. */
  get size(): number {
    return this.#size;
  }

  /**
   * Whether this message may pass; true at most once for the same sender, id and time, also when our clock is set
   * back in between. Times in wall milliseconds.
   */
  admit(from: NodeId, id: string, sentAt: number, now: number): boolean {
    if (!(Math.abs(now - sentAt) <= this.#toleranceMs)) return false; // NaN, too
    if (sentAt <= this.#floor) return false;
    const minute = this.#minuteOf(sentAt);
    const print = this.#fingerprint(from, id);
    if (minute.passed.has(print)) return false;
    if (minute.passed.size === 0) this.#forgetBefore(now - this.#toleranceMs);
    minute.passed.add(print);
    minute.latest = Math.max(minute.latest, sentAt);
    this.#size++;
    while (this.#size > this.#maxMessages) this.#forget(Math.min(...this.#minutes.keys()));
    return true;
  }

  #minuteOf(sentAt: number): Minute {
    const key = Math.floor(sentAt / MINUTE_MS);
    const known = this.#minutes.get(key);
    if (known) return known;
    const minute = { passed: new Set<number>(), latest: sentAt };
    this.#minutes.set(key, minute);
    return minute;
  }

  #fingerprint(from: NodeId, id: string): number {
    const hash = createHash('sha256')
      .update(this.#salt)
      .update(JSON.stringify([from, id]));
    return hash.digest().readUIntBE(0, 6);
  }

  /** Also what has expired raises the floor: it would pass again if the clock were set back. */
  #forgetBefore(time: number): void {
    for (const [key, { latest }] of this.#minutes) if (latest < time) this.#forget(key);
  }

  #forget(key: number): void {
    const { passed, latest } = this.#minutes.get(key)!;
    this.#minutes.delete(key);
    this.#size -= passed.size;
    this.#floor = Math.max(this.#floor, latest);
  }
}
