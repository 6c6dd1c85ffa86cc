// Sources that keep breaking the rules are shut out for a while, each time for longer. Pure counting, in a table that
// cannot outgrow its bound; time is handed in. Only global addresses: behind a private one, or loopback, stands
// this network itself or a proxy that nobody listed, and with it everybody.
import { ipScope } from '../src/net/ip-scope.js';
import type { CutReason } from './counts.js';
import type { ResolvedServerOptions } from './options.js';
import { sourceOf } from './source-limiter.js';

/** What counts against a source, and how much; everything else happens to honest clients too. */
const OFFENCES: Partial<Record<CutReason, number>> = {
  'protocol-error': 1,
  'not-admitted': 1,
  'not-registered-in-time': 1,
  flooding: 5, // hundreds of messages that were refused before
};

interface Conduct {
  /** Offences that are not yet forgiven, at `atMs`. */
  offences: number;
  atMs: number;
  /** How often it was banned. */
  bans: number;
  untilMs: number;
}

export type BanLimits = Pick<
  ResolvedServerOptions,
  'banAfter' | 'banWindowMs' | 'banMs' | 'banMaxMs' | 'banTable'
>;

export class Bans {
  readonly #limits: BanLimits;
  readonly #now: () => number;
  /** In the order of the last offence. */
  readonly #sources = new Map<string, Conduct>();
  /** Bans imposed so far. */
  imposed = 0;

  constructor(limits: BanLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Asked for every connection, before a byte of it is read. */
  isBanned(host: string): boolean {
    if (this.#sources.size === 0) return false;
    const conduct = this.#sources.get(sourceOf(host));
    return conduct !== undefined && this.#now() < conduct.untilMs;
  }

  /** Notes why a connection was ended. @returns for how long the source is banned from now, in ms; 0: it is not. */
  accuse(host: string, reason: CutReason): number {
    const weight = OFFENCES[reason];
    const { banAfter, banWindowMs, banMs, banMaxMs, banTable } = this.#limits;
    if (weight === undefined || banAfter === 0 || ipScope(host) !== 'global') return 0;
    const source = sourceOf(host);
    const nowMs = this.#now();
    const conduct = this.#conductOf(source, nowMs);
    this.#sources.delete(source); // and back in at the end
    this.#sources.set(source, conduct);
    if (this.#sources.size > banTable) this.#sources.delete(this.#sources.keys().next().value!);
    if (nowMs < conduct.untilMs) return 0; // what was still open when the ban began is no reason for another
    const forgiven = ((nowMs - conduct.atMs) / banWindowMs) * banAfter;
    conduct.offences = Math.max(0, conduct.offences - forgiven) + weight;
    conduct.atMs = nowMs;
    if (Math.ceil(conduct.offences) < banAfter) return 0; // what was forgiven since the first is less than one
    const forMs = Math.min(banMaxMs, banMs * 2 ** Math.min(conduct.bans, 30));
    conduct.bans++;
    conduct.offences = 0;
    conduct.untilMs = nowMs + forMs;
    this.imposed++;
    return forMs;
  }

  /** How many sources are shut out now. */
  get active(): number {
    const nowMs = this.#now();
    let count = 0;
    for (const { untilMs } of this.#sources.values()) if (nowMs < untilMs) count++;
    return count;
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /** A clean sheet for who is new, and for who has kept quiet for as long as the longest ban. */
  #conductOf(source: string, nowMs: number): Conduct {
    const known = this.#sources.get(source);
    const { banMaxMs } = this.#limits;
    if (known && nowMs < Math.max(known.untilMs, known.atMs) + banMaxMs) return known;
    return { offences: 0, atMs: nowMs, bans: 0, untilMs: Number.NEGATIVE_INFINITY };
  }
}
