// Which of two seats for one id is the later: a logical clock that never runs behind the calendar or behind any
// stamp seen (a hybrid logical clock), so that a seat taken after another's claim was heard outranks it even where
// the machines' calendars differ. Equal stamps are told apart by the name of the process: exactly one seat wins.

/** The largest that is understood: the year 144,683. */
export const MAX_STAMP = 2 ** 52;
/** The largest that is followed: from there counting could go on as long again. */
const MAX_FOLLOWED = 2 ** 51;

export interface Claim {
  readonly stamp: number;
  /** The process that makes it. */
  readonly by: string;
}

export function outranks(one: Claim, other: Claim): boolean {
  return one.stamp === other.stamp ? one.by > other.by : one.stamp > other.stamp;
}

export class Stamps {
  readonly #wall: () => number;
  #latest = 0;

  /** @param wall the calendar, milliseconds since 1970 */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** The highest stamp given or seen. */
  get latest(): number {
    return this.#latest;
  }

  next(): number {
    this.#latest = Math.max(Math.floor(this.#wall()), this.#latest + 1);
    return this.#latest;
  }

  /** A stamp of another process. */
  saw(stamp: number): void {
    if (stamp <= MAX_FOLLOWED) this.#latest = Math.max(this.#latest, stamp);
  }
}
