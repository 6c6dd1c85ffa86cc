// How often strangers may make this node dial: per peer and for the whole node, and one at a time per peer.
// Pure but for the clock handed in.
import type { NodeId } from '../identity/node-id.js';

export interface DialLimits {
  readonly perPeerPerMinute: number;
  readonly perNodePerMinute: number;
}

const MINUTE_MS = 60_000;

export class DialLimiter {
  readonly #limits: DialLimits;
  readonly #now: () => number;
  readonly #busy = new Map<NodeId, object>();
  /** Requests admitted within the last minute, oldest first; bounded by the limit per node. */
  #recent: { peer: NodeId; at: number }[] = [];

  constructor(limits: DialLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Takes a place for this peer until disposed; undefined when it must wait. */
  admit(peer: NodeId): Disposable | undefined {
    const now = this.#now();
    this.#recent = this.#recent.filter(({ at }) => now - at < MINUTE_MS);
    if (this.#busy.has(peer) || this.#recent.length >= this.#limits.perNodePerMinute) return undefined;
    const ofPeer = this.#recent.filter(entry => entry.peer === peer).length;
    if (ofPeer >= this.#limits.perPeerPerMinute) return undefined;
    const place = { peer, at: now };
    this.#recent.push(place);
    this.#busy.set(peer, place);
    // disposed twice, it must not free the place of the peer's next request
    return { [Symbol.dispose]: () => void (this.#busy.get(peer) === place && this.#busy.delete(peer)) };
  }
}
