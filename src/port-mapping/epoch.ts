// Did the gateway lose its state? PCP and NAT-PMP answers carry the seconds since it last did; held against
// our own clock they tell (RFC 6887 section 8.5, RFC 6886 section 3.6). Pure but for what was seen before.

interface Sighting {
  readonly epochSeconds: number;
  readonly atSeconds: number;
}

/** RFC 6887 section 8.5: both clocks must advance alike, within 1/16 and 2 s, and never run backwards. */
function pcpLost(before: Sighting, now: Sighting): boolean {
  if (now.epochSeconds + 1 < before.epochSeconds) return true;
  const client = now.atSeconds - before.atSeconds;
  const server = now.epochSeconds - before.epochSeconds;
  return client + 2 < server - server / 16 || server + 2 < client - client / 16;
}

/** RFC 6886 section 3.6: the epoch must not fall 2 s short of 7/8 of the time that passed here. */
function natPmpLost(before: Sighting, now: Sighting): boolean {
  const expected = before.epochSeconds + (7 / 8) * (now.atSeconds - before.atSeconds);
  return now.epochSeconds + 2 < expected;
}

/**
 * Neither rule sees a restart that followed the last sighting at once when the gateway had not run for longer
 * than their tolerance before: the new epoch then looks like the old one's continuation.
 */
function isBlind(before: Sighting, now: Sighting): boolean {
  return before.epochSeconds <= 3 + (now.atSeconds - before.atSeconds) / 8;
}

/** `unclear`: this epoch would look the same with a restart and without. */
export type EpochVerdict = 'steady' | 'restarted' | 'unclear';

/** Remembers the last epoch seen, and says of each new one whether the gateway restarted in between. */
export class EpochWatch {
  readonly #lost: (before: Sighting, now: Sighting) => boolean;
  #last: Sighting | undefined;

  constructor(protocol: 'pcp' | 'nat-pmp') {
    this.#lost = protocol === 'pcp' ? pcpLost : natPmpLost;
  }

  /** @param nowMs monotonic milliseconds */
  observe(epochSeconds: number, nowMs: number): EpochVerdict {
    const now = { epochSeconds, atSeconds: nowMs / 1000 };
    const before = this.#last;
    this.#last = now;
    if (before === undefined) return 'steady';
    if (this.#lost(before, now)) return 'restarted';
    return isBlind(before, now) ? 'unclear' : 'steady';
  }
}
