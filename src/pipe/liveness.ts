// Is the other side still there? Sans I/O: told what happened and what time it is, it says what to do next.
// A side that has written nothing for a while sends a heartbeat; a side that has heard nothing for longer calls
// the path dead, unless it is itself not reading. So a busy pipe carries no chatter, and a peer that reads
// slowly is not taken for a dead one: its own heartbeats still arrive. The verdict takes two looks: a process that
// was held up itself (a paused machine, a long computation) first reads what has arrived meanwhile.

/** 10 s: two heartbeats may be late or lost to a pause before 25 s are over, and NATs forget after 30 s or more. */
const DEFAULT_HEARTBEAT_MS = 10_000;
/** 25 s: a dead path is noticed within 30 s, timers and a busy machine included. */
const DEFAULT_DEAD_MS = 25_000;

/** The second look comes after this part of `deadMs`: 1 s by default. */
const SECOND_LOOK = 0.04;

export type LivenessAction =
  | { readonly action: 'wait'; readonly forMs: number }
  | { readonly action: 'heartbeat' }
  | { readonly action: 'dead' };

export class Liveness {
  readonly #heartbeatMs: number;
  readonly #deadMs: number;
  #wroteAt: number;
  #heardAt: number;
  #reading = true;
  #suspectedAt: number | undefined;

  constructor(nowMs: number, heartbeatMs = DEFAULT_HEARTBEAT_MS, deadMs = DEFAULT_DEAD_MS) {
    this.#heartbeatMs = heartbeatMs;
    this.#deadMs = deadMs;
    this.#wroteAt = nowMs;
    this.#heardAt = nowMs;
  }

  /** Bytes of any kind went out. */
  wrote(nowMs: number): void {
    this.#wroteAt = nowMs;
  }

  /** Bytes of any kind came in. */
  heard(nowMs: number): void {
    this.#heardAt = nowMs;
    this.#suspectedAt = undefined;
  }

  /** This side stops reading (its consumers are full), or reads again: silence counts anew from then. */
  reading(reads: boolean, nowMs: number): void {
    if (reads && !this.#reading) this.heard(nowMs);
    this.#reading = reads;
  }

  /** What to do now. After `heartbeat` the caller sends one (and says so with `wrote`), then asks again. */
  next(nowMs: number): LivenessAction {
    const untilVerdict = this.#reading ? this.#untilVerdict(nowMs) : Number.POSITIVE_INFINITY;
    if (untilVerdict <= 0) return { action: 'dead' };
    const untilHeartbeat = this.#wroteAt + this.#heartbeatMs - nowMs;
    if (untilHeartbeat <= 0) return { action: 'heartbeat' };
    return { action: 'wait', forMs: Math.min(untilVerdict, untilHeartbeat) };
  }

  #untilVerdict(nowMs: number): number {
    const untilSuspicion = this.#heardAt + this.#deadMs - nowMs;
    if (untilSuspicion > 0) return untilSuspicion;
    this.#suspectedAt ??= nowMs;
    return this.#suspectedAt + this.#deadMs * SECOND_LOOK - nowMs;
  }
}
