// Lets each signed message through once. A message is fresh while its sender's clock and ours agree within the
// tolerance; within that span its id must be new. Memory is bounded on every axis, and what is forgotten
// raises a floor below which nothing is accepted: under a flood this errs by refusing, never by replaying.
import type { NodeId } from './node-id.js';

interface Seen {
  ids: Map<string, number>;
  /** Nothing sent at or before this time is accepted from this sender any more. */
  floor: number;
}

export class ReplayWindow {
  readonly #toleranceMs: number;
  readonly #maxSenders: number;
  readonly #maxIdsPerSender: number;
  readonly #maxIds: number;
  /** Least recently heard first. */
  readonly #senders = new Map<NodeId, Seen>();
  #strangerFloor = Number.NEGATIVE_INFINITY;
  #size = 0;

  constructor(
    options: { toleranceMs?: number; maxSenders?: number; maxIdsPerSender?: number; maxIds?: number } = {},
  ) {
    this.#toleranceMs = options.toleranceMs ?? 15 * 60_000;
    this.#maxSenders = options.maxSenders ?? 4096;
    this.#maxIdsPerSender = options.maxIdsPerSender ?? 256;
    this.#maxIds = options.maxIds ?? 65_536; // about 6 MB
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.#size;
  }

  /**
   * Whether this message may pass; true at most once for the same sender, id and time, also when our clock is set
   * back in between. Times in wall milliseconds.
   */
  admit(from: NodeId, id: string, sentAt: number, now: number): boolean {
    if (!(Math.abs(now - sentAt) <= this.#toleranceMs)) return false; // NaN, too
    const seen = this.#senders.get(from) ?? { ids: new Map(), floor: this.#strangerFloor };
    if (sentAt <= seen.floor || seen.ids.has(id)) return false;
    seen.ids.set(id, sentAt);
    this.#size++;
    this.#senders.delete(from);
    this.#senders.set(from, seen);
    if (seen.ids.size > this.#maxIdsPerSender) this.#forgetOldest(seen);
    while (this.#senders.size > this.#maxSenders || this.#size > this.#maxIds) this.#forgetSender();
    return true;
  }

  // The expired ones go this way, too: dropped without a floor, they would pass again if the clock were set back.
  #forgetOldest(seen: Seen): void {
    let oldest: [string, number] = ['', Number.POSITIVE_INFINITY];
    for (const entry of seen.ids) if (entry[1] < oldest[1]) oldest = entry;
    seen.ids.delete(oldest[0]);
    this.#size--;
    seen.floor = Math.max(seen.floor, oldest[1]);
  }

  #forgetSender(): void {
    for (const [from, seen] of this.#senders) {
      this.#senders.delete(from);
      this.#size -= seen.ids.size;
      this.#strangerFloor = Math.max(this.#strangerFloor, seen.floor, ...seen.ids.values());
      return;
    }
  }
}
