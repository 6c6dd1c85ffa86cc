// Who may register when: in the order in which they came, and at most so many in any one second. Pure; time is
// handed in, and whoever owns the guests sees to it that those whose turn it is hear of it (waiting-room.ts).
import { TokenBucket } from '../src/net/token-bucket.js';

/** Longer than this nobody waits: whoever would is better told to come back. */
const LONGEST_WAIT_MS = 60_000;
/**
 * The parts of a second's admissions that may come at once and evenly over the second. At once is enough for a
 * household, and to catch up with a stall of 40 ms. Together they stay a hair below the number, for a turn given is
 * not yet a registration: so no second has more, wherever it begins.
 */
const PARTS = { atOnce: 0.04, evenly: 0.95 } as const;

export class AdmissionPace<Guest> {
  readonly #perSecond: number;
  readonly #bucket: TokenBucket;
  /** In order of arrival. */
  readonly #waiting = new Set<Guest>();

  /** @param mostPerSecond from 20. */
  constructor(mostPerSecond: number, now: number) {
    this.#perSecond = mostPerSecond * PARTS.evenly;
    this.#bucket = new TokenBucket(this.#perSecond, Math.max(1, mostPerSecond * PARTS.atOnce), now);
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  get full(): boolean {
    return this.waitMs() >= LONGEST_WAIT_MS;
  }

  /** How long one will wait, about, with so many ahead of it. */
  waitMs(ahead = this.#waiting.size): number {
    return (ahead * 1000) / this.#perSecond;
  }

  enter(guest: Guest): void {
    this.#waiting.add(guest);
  }

  /** It waits no longer; without effect on one who does not wait. */
  leave(guest: Guest): void {
    this.#waiting.delete(guest);
  }

  /** Those whose turn it is. They wait no longer. */
  admit(now: number): Guest[] {
    const admitted: Guest[] = [];
    for (const guest of this.#waiting) {
      if (!this.#bucket.take(now)) break;
      this.#waiting.delete(guest);
      admitted.push(guest);
    }
    return admitted;
  }

  /** Milliseconds until it is somebody's turn; undefined: nobody waits. */
  nextInMs(now: number): number | undefined {
    return this.#waiting.size === 0 ? undefined : this.#bucket.nextInMs(now);
  }

  [Symbol.iterator](): Iterator<Guest> {
    return this.#waiting.values();
  }
}
