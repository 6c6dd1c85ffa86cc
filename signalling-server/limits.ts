// How much one stranger may take: connections an address, messages a client. Pure counting; time is handed in.

/** Connections by source, at one time. */
export class ConnectionCount {
  readonly #bySource = new Map<string, number>();

  /** Counts one more; how many there are now. */
  enter(source: string): number {
    const count = (this.#bySource.get(source) ?? 0) + 1;
    this.#bySource.set(source, count);
    return count;
  }

  of(source: string): number {
    return this.#bySource.get(source) ?? 0;
  }

  leave(source: string): void {
    const count = (this.#bySource.get(source) ?? 0) - 1;
    if (count > 0) this.#bySource.set(source, count);
    else this.#bySource.delete(source);
  }
}

/** A token bucket: full at first, refilled at a steady rate. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, capacity: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#filledAt = now;
  }

  /** Takes a token if there is one. `now` in monotonic milliseconds. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Milliseconds until there is one. */
  nextInMs(now: number): number {
    this.#fill(now);
    return Math.max(0, (1 - this.#tokens) / this.#perMs);
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}
