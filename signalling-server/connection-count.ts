// How many connections one stranger may hold. Pure counting.

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
