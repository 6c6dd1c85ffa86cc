// What of all that arrives on our box topic is worth opening: not what the broker had kept (a box is for now), not what
// is no parcel, not what has been here before (QoS 1 delivers at least once), and not more than we care to open in a
// second. Everything is decided by a hash at the most; opening costs a hundred times as much.
import type { NodeId } from '../identity/node-id.js';
import { TokenBucket } from '../net/token-bucket.js';
import { digestOf, unwrapBox } from './broker-parcel.js';
import { Recent } from './recent.js';

/** Opened boxes a second, and at once: what all honest peers together need, and 3 % of one core. */
const OPENED = { perSecond: 200, burst: 400 } as const;
/** Boxes whose return is noticed here; an older one is opened and then dropped by the replay window. */
const REMEMBERED = 1024;

export type Arrival =
  | { readonly box: Buffer; readonly digest: string }
  | { readonly dropped: 'retained' | 'malformed' | 'too-many' }
  /** Seen before; if it was opened, who had sent it. */
  | { readonly dropped: 'not-fresh'; readonly digest: string; readonly from: NodeId | undefined };

export class BrokerIntake {
  readonly #sealingKey: Buffer;
  readonly #opened: TokenBucket;
  /** By digest. */
  readonly #seen = new Recent<string, NodeId | undefined>(REMEMBERED);

  constructor(sealingKey: Buffer, now: number) {
    this.#sealingKey = sealingKey;
    this.#opened = new TokenBucket(OPENED.perSecond, OPENED.burst, now);
  }

  /** @param now monotonic milliseconds. */
  take(parcel: Buffer, retained: boolean, now: number): Arrival {
    if (retained) return { dropped: 'retained' };
    const box = unwrapBox(this.#sealingKey, parcel);
    if (!box) return { dropped: 'malformed' };
    const digest = digestOf(box);
    if (this.#seen.has(digest)) return { dropped: 'not-fresh', digest, from: this.#seen.get(digest) };
    if (!this.#opened.take(now)) return { dropped: 'too-many' };
    this.#seen.set(digest, undefined);
    return { box, digest };
  }

  /** A box was opened, and proved to be from that node. */
  opened(digest: string, from: NodeId): void {
    if (this.#seen.has(digest)) this.#seen.set(digest, from);
  }
}
