// How much one source may ask: a token bucket for each, in a table that cannot grow beyond its bound.
// A source is an IPv4 address or an IPv6 /64, which is what one subscriber gets.
import { ipBytes } from '../src/net/ip-scope.js';
import { TokenBucket } from '../src/net/token-bucket.js';

export interface SourceLimit {
  /** Tokens that a source may spend at once. */
  readonly burst: number;
  /** Tokens that it gets back in a second, up to the burst. */
  readonly perSecond: number;
}

/** What counts as one source. */
export function sourceOf(host: string): string {
  if (!host.includes(':')) return host;
  const bytes = ipBytes(host);
  return bytes ? Buffer.from(bytes.slice(0, 8)).toString('hex') : host;
}

export class SourceLimiter {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limit: SourceLimit;
  readonly #maxSources: number;
  readonly #now: () => number;

  /** @param maxSources how many sources are remembered; the one unseen for longest gives way. Default: 10,000. */
  constructor(limit: SourceLimit, now: () => number, maxSources = 10_000) {
    this.#limit = limit;
    this.#now = now;
    this.#maxSources = maxSources;
  }

  /** Takes a token of this host's source; false when it has none left. */
  admit(host: string): boolean {
    const key = sourceOf(host);
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#limit.perSecond, this.#limit.burst, now);
    this.#buckets.delete(key); // and back in at the end: the map's order is that of last use
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxSources) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket.take(now);
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#buckets.size;
  }
}
