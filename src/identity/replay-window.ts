// Lets each signed message through once. A message is fresh while its sender's clock and ours agree within the
// tolerance; within that span its id must be new. Memory is bounded on both axes, and what is forgotten
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
  readonly #maxIds: number;
  /** Least recently heard first. */
  readonly #senders = new Map<NodeId, Seen>();
  #strangerFloor = Number.NEGATIVE_INFINITY;

  constructor(options: { toleranceMs?: number; maxSenders?: number; maxIdsPerSender?: number } = {}) {
    this.#toleranceMs = options.toleranceMs ?? 15 * 60_000;
    this.#maxSenders = options.maxSenders ?? 4096;
    this.#maxIds = options.maxIdsPerSender ?? 256;
  }

  /** Whether this message may pass; true at most once for each (sender, id). Times in wall milliseconds. */
  admit(from: NodeId, id: string, sentAt: number, now: number): boolean {
    if (!(Math.abs(now - sentAt) <= this.#toleranceMs)) return false; // NaN, too
    const seen = this.#senders.get(from) ?? { ids: new Map(), floor: this.#strangerFloor };
    if (sentAt <= seen.floor || seen.ids.has(id)) return false;
    seen.ids.set(id, sentAt);
    if (seen.ids.size > this.#maxIds) this.#forgetOldest(seen);
    this.#senders.delete(from);
    this.#senders.set(from, seen);
    if (this.#senders.size > this.#maxSenders) this.#forgetSender();
    return true;
  }

  // The expired ones go this way, too: dropped without a floor, they would pass again if the clock were set back.
  #forgetOldest(seen: Seen): void {
    let oldest: [string, number] = ['', Number.POSITIVE_INFINITY];
    for (const entry of seen.ids) if (entry[1] < oldest[1]) oldest = entry;
    seen.ids.delete(oldest[0]);
    seen.floor = Math.max(seen.floor, oldest[1]);
  }

  #forgetSender(): void {
    for (const [from, seen] of this.#senders) {
      this.#senders.delete(from);
      this.#strangerFloor = Math.max(this.#strangerFloor, seen.floor, ...seen.ids.values());
      return;
    }
  }
}
