// How long a channel waits before it tries its server again. Full jitter: a uniform wait between nothing and a
// bound that doubles, so that those who lost the same server do not come back at the same moment. Found within
// seconds is enough: from then on the server has everybody wait their turn.

const FIRST_MS = 250;
const MOST_MS = 30_000;
/** Doublings after a loss: a server that restarts is away for 2 s, and may have many thousand clients. */
const AFTER_LOSS = 3;
/** A connection that lived this long was a good one: what failed before it is forgotten. */
const STEADY_AFTER_MS = 30_000;

export class RetryPause {
  readonly #random: () => number;
  /** How often the first bound is doubled. */
  #doublings = 0;

  /** @param random uniform in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A try has failed. */
  failed(): void {
    this.#doublings++;
  }

  /** A registration has ended, which had lived so long. */
  lost(livedMs: number): void {
    const further = livedMs >= STEADY_AFTER_MS ? 0 : this.#doublings + 1;
    this.#doublings = Math.max(AFTER_LOSS, further);
  }

  /** Another process holds this identity: two that take turns at once would never stop. */
  takenOver(): void {
    this.#doublings = Number.POSITIVE_INFINITY;
  }

  /** A wait drawn anew, milliseconds. */
  nextMs(): number {
    return this.#random() * Math.min(MOST_MS, FIRST_MS * 2 ** this.#doublings);
  }
}
