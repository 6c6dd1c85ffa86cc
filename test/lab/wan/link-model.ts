// One direction of one WAN link as a pure model: given the time and a frame's size it says when the frame
// arrives, or that it is lost. Time and chance are handed in; nothing here waits or sends.
import type { Random } from '../random.js';

export interface LinkSettings {
  /** Added one way, in milliseconds. A path crosses two links, so host to host is the sum of both. */
  readonly delayMs: number;
  /** How much more it is towards the WAN, and less from it: the two ways need not be alike. */
  readonly skewMs: number;
  /** Up to this much more, uniformly, without changing the order. */
  readonly jitterMs: number;
  /** Probability that a frame is lost, each independently of the others. */
  readonly loss: number;
  /** Losses in bursts (Gilbert-Elliott): nothing passes in the bad state. */
  readonly burst: { readonly enter: number; readonly leave: number } | null;
  /** Serialisation rate in kbit/s; null: unlimited. */
  readonly rateKbps: number | null;
  /** How much may wait for a capped link, in milliseconds of its rate; more is dropped (tail drop). */
  readonly queueMs: number;
  /** Probability that a frame is overtaken: it is held back by `reorderMs` and leaves the order. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Nothing passes. */
  readonly down: boolean;
}

export const PERFECT_LINK: LinkSettings = {
  delayMs: 0,
  skewMs: 0,
  jitterMs: 0,
  loss: 0,
  burst: null,
  rateKbps: null,
  queueMs: 200,
  reorder: 0,
  reorderMs: 10,
  down: false,
};

/** Gilbert-Elliott parameters for a mean loss and a mean burst length in frames. */
export function burstyLoss(mean: number, meanBurstFrames: number): { enter: number; leave: number } {
  const leave = 1 / meanBurstFrames;
  return { enter: (mean * leave) / (1 - mean), leave };
}

export class LinkDirection {
  readonly #random: Random;
  #bad = false;
  #busyUntilMs = 0;
  #lastArrivalMs = 0;

  readonly #towards: 'wan' | 'site';

  constructor(random: Random, towards: 'wan' | 'site' = 'wan') {
    this.#random = random;
    this.#towards = towards;
  }

  /** When a frame that enters at `nowMs` leaves the link, or undefined when it is lost. */
  pass(settings: LinkSettings, nowMs: number, bytes: number): number | undefined {
    if (settings.down || this.#lost(settings)) return undefined;
    let leaves = nowMs;
    if (settings.rateKbps !== null) {
      const starts = Math.max(nowMs, this.#busyUntilMs);
      if (starts - nowMs > settings.queueMs) return undefined;
      leaves = this.#busyUntilMs = starts + (bytes * 8) / settings.rateKbps;
    }
    leaves += settings.delayMs + (this.#towards === 'wan' ? settings.skewMs : -settings.skewMs);
    if (settings.jitterMs > 0) leaves += this.#random() * settings.jitterMs;
    if (settings.reorder > 0 && this.#random() < settings.reorder) return leaves + settings.reorderMs;
    // A lowered delay does not let new frames overtake old ones: reordering is a setting of its own.
    return (this.#lastArrivalMs = Math.max(leaves, this.#lastArrivalMs));
  }

  #lost({ loss, burst }: LinkSettings): boolean {
    if (burst) {
      this.#bad = this.#bad ? this.#random() >= burst.leave : this.#random() < burst.enter;
      if (this.#bad) return true;
    }
    return loss > 0 && this.#random() < loss;
  }
}
