// Where those who have proved who they are wait for their turn to register. Each hears now and then how long it will
// be, and answers a ping: one that does not is gone, and its turn is the next one's. Waiting costs a socket, no more.
import type { Clock } from '../src/net/clock.js';
import type { ServerFrame } from '../src/signalling/frames.js';
import { AdmissionPace } from './admission-pace.js';
import type { Counts } from './counts.js';
import type { Visitor } from './front-door.js';
import type { ResolvedServerOptions } from './options.js';

/** How often one that waits is spoken to, and how long it may take to answer. */
const WORD_EVERY_MS = 10_000;
/** Nobody waits so long: the room is full before. Only a visitor that has been forgotten would. */
const FORGOTTEN_AFTER_MS = 120_000;
/** RFC 6455, 7.4.1, and IANA's registry: try again later. */
const TRY_AGAIN_LATER = 1013;

interface Guest {
  readonly visitor: Visitor;
  readonly onTurn: () => void;
  spokenToAt: number;
  answered: boolean;
  /** Set once it has to wait. */
  stopListening?: () => void;
}

export class WaitingRoom {
  readonly #pace: AdmissionPace<Guest>;
  readonly #counts: Counts;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #attended = false;
  /** When all were last looked at. */
  #spokeAt = 0;

  constructor(options: ResolvedServerOptions, counts: Counts, clock: Clock, signal: AbortSignal) {
    this.#pace = new AdmissionPace(options.registrationsPerSecond, clock.now());
    this.#counts = counts;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** How many wait. */
  get size(): number {
    return this.#pace.size;
  }

  /** Has the visitor wait until its turn: perhaps that is now. */
  enter(visitor: Visitor, onTurn: () => void): void {
    const { socket } = visitor;
    if (this.#pace.full) {
      this.#counts.cut['too-many-waiting']++;
      socket.close(TRY_AGAIN_LATER, 'too many wait to register');
      return;
    }
    const guest: Guest = { visitor, onTurn, spokenToAt: 0, answered: true };
    const waitMs = this.#pace.waitMs();
    this.#pace.enter(guest);
    this.#admit();
    if (this.#pace.size === 0) return; // the last to come was let in, so nobody waits
    visitor.within(FORGOTTEN_AFTER_MS);
    const onClose = () => this.#pace.leave(guest);
    const onPong = () => {
      guest.answered = true;
    };
    socket.on('close', onClose).on('pong', onPong);
    guest.stopListening = () => socket.off('close', onClose).off('pong', onPong);
    this.#speakTo(guest, waitMs);
    if (!this.#attended) void this.#attend();
  }

  #admit(): void {
    for (const { onTurn, stopListening } of this.#pace.admit(this.#clock.now())) {
      stopListening?.();
      onTurn();
    }
  }

  /** For as long as somebody waits. */
  async #attend(): Promise<void> {
    this.#attended = true;
    for (;;) {
      const ms = this.#pace.nextInMs(this.#clock.now());
      if (ms === undefined || this.#signal.aborted) break;
      await this.#clock.sleep(Math.max(1, Math.ceil(ms)), this.#signal).catch(() => {});
      this.#admit();
      this.#speakToAll();
    }
    this.#attended = false;
  }

  #speakToAll(): void {
    const now = this.#clock.now();
    if (now - this.#spokeAt < WORD_EVERY_MS / 10) return;
    this.#spokeAt = now;
    let ahead = 0;
    for (const guest of this.#pace) {
      const waitMs = this.#pace.waitMs(ahead++);
      if (now - guest.spokenToAt < WORD_EVERY_MS) continue;
      if (guest.answered) this.#speakTo(guest, waitMs);
      else {
        this.#counts.cut.silent++;
        guest.visitor.socket.terminate();
      }
    }
  }

  #speakTo(guest: Guest, waitMs: number): void {
    const { socket } = guest.visitor;
    guest.spokenToAt = this.#clock.now();
    guest.answered = false;
    socket.send(JSON.stringify({ type: 'wait', ms: Math.ceil(waitMs) } satisfies ServerFrame));
    socket.ping();
  }
}
