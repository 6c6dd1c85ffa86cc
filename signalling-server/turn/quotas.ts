// How many allocations a user, a source and everybody may hold (486 and 508, RFC 8656 section 7.2). The
// tables are Maps: their keys are strangers' words, `constructor` and `__proto__` among them.
import { sourceOf } from '../source-limiter.js';
import { Bandwidth, Caps } from './bandwidth.js';
import type { RelayLimits } from './limits.js';

interface UserRecord {
  allocations: number;
  readonly bandwidth: Bandwidth | undefined;
}

export class Quotas {
  readonly #limits: RelayLimits;
  readonly #users = new Map<string, UserRecord>();
  readonly #sources = new Map<string, number>();
  readonly #total: Bandwidth | undefined;
  #allocations = 0;

  constructor(limits: RelayLimits) {
    this.#limits = limits;
    this.#total = bandwidth(limits.bytesPerSecond);
  }

  /** Takes a place and returns what gives it back, or the number of the error. */
  acquire(userId: string, host: string): { readonly caps: Caps; release(): void } | 486 | 508 {
    const source = sourceOf(host);
    const ofSource = this.#sources.get(source) ?? 0;
    const user = this.#users.get(userId);
    if ((user?.allocations ?? 0) >= this.#limits.allocationsPerUser) return 486;
    if (ofSource >= this.#limits.allocationsPerSource) return 486;
    if (this.#allocations >= this.#limits.allocations) return 508;
    const record = user ?? { allocations: 0, bandwidth: bandwidth(this.#limits.bytesPerSecondPerUser) };
    this.#allocations++;
    record.allocations++;
    this.#users.set(userId, record);
    this.#sources.set(source, ofSource + 1);
    let released = false;
    return {
      caps: new Caps([record.bandwidth, this.#total]),
      release: () => {
        if (released) return;
        released = true;
        this.#allocations--;
        if (--record.allocations === 0) this.#users.delete(userId);
        const left = this.#sources.get(source)! - 1;
        if (left === 0) this.#sources.delete(source);
        else this.#sources.set(source, left);
      },
    };
  }
}

function bandwidth(bytesPerSecond: number): Bandwidth | undefined {
  return Number.isFinite(bytesPerSecond) ? new Bandwidth(bytesPerSecond) : undefined;
}
