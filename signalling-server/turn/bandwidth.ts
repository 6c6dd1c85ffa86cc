// The bandwidth cap: a bucket that may go into debt by one chunk, and says how long paying it off takes.

/** At most this much of a second's bytes may pass at once. */
const BURST_S = 0.25;

export class Bandwidth {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #bytes: number;
  #atMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#burst = bytesPerSecond * BURST_S;
    this.#bytes = this.#burst;
  }

  /** Milliseconds until the debt is paid; 0 when something may pass. */
  waitMs(nowMs: number): number {
    this.#bytes = Math.min(this.#burst, this.#bytes + (nowMs - this.#atMs) * this.#bytesPerMs);
    this.#atMs = nowMs;
    return this.#bytes >= 0 ? 0 : Math.ceil(-this.#bytes / this.#bytesPerMs);
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** All the caps that traffic of one user runs under; none where nothing is capped, which costs nothing. */
export class Caps {
  readonly #caps: readonly Bandwidth[];

  constructor(caps: readonly (Bandwidth | undefined)[]) {
    this.#caps = caps.filter(cap => cap !== undefined);
  }

  get none(): boolean {
    return this.#caps.length === 0;
  }

  /** Takes it or leaves it, as suits datagrams. */
  admit(bytes: number, nowMs: number): boolean {
    for (const cap of this.#caps) if (cap.waitMs(nowMs) > 0) return false;
    for (const cap of this.#caps) cap.spend(bytes);
    return true;
  }

  /** Takes it and says how long to rest afterwards, as suits streams. */
  spend(bytes: number, nowMs: number): number {
    let waitMs = 0;
    for (const cap of this.#caps) {
      cap.waitMs(nowMs);
      cap.spend(bytes);
      waitMs = Math.max(waitMs, cap.waitMs(nowMs));
    }
    return waitMs;
  }
}
