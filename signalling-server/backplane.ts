// Who is where. The router knows only this interface; the embedded backplane below is one process's memory, and
// others join several processes into one service.
import type { NodeId } from '../src/identity/node-id.js';

/** A registered client of this process, as a backplane sees it. */
export interface Seat {
  readonly id: NodeId;
  /**
   * Hands over one finished frame. `too-slow`: the client had stopped reading and is being dropped.
   * @param onWritten after `sent` only: the kernel has taken the frame, or (with an error) never will.
   */
  push(frame: string, onWritten?: (error?: Error | null) => void): 'sent' | 'not-here' | 'too-slow';
  /** The same id has registered elsewhere. */
  takenOver(): void;
}

/** What became of a message: handed to the recipient's connection, or why not. */
export type Outcome = 'sent' | 'not-here' | 'too-slow' | 'unavailable';

/** What /metrics shows of a backplane. */
export interface BackplaneFigures {
  /** Whether the other processes are in reach. */
  readonly joined: boolean;
  /** Messages to other processes whose outcome is not yet known. */
  readonly pending: number;
  /** `out` to other processes, `in` from them, `forwarded` because their seat had just moved on. */
  readonly messages: Readonly<Record<'out' | 'in' | 'forwarded', number>>;
  /** Messages whose outcome did not come in time. */
  readonly timedOut: number;
  /** What other processes said and was not understood. */
  readonly malformed: number;
}

export interface Backplane extends AsyncDisposable {
  readonly name: string;
  /** Whether clients may be sent here; /readyz asks. */
  readonly ready: boolean;
  readonly figures: BackplaneFigures;
  /**
   * Seats a client; whoever held its id before, anywhere, is told that it is taken over. Where that takes time, it
   * is done when the promise resolves; it never rejects.
   */
  take(seat: Seat): Promise<void> | undefined;
  /** Frees the seat, if it is still this one that holds the id. */
  leave(seat: Seat): void;
  /** Passes a finished frame to whoever holds the id. At once where that can be known at once. */
  pass(to: NodeId, frame: string): Outcome | Promise<Outcome>;
}

export class EmbeddedBackplane implements Backplane {
  readonly name = 'embedded';
  readonly ready = true;
  readonly figures: BackplaneFigures = {
    joined: true,
    pending: 0,
    messages: { out: 0, in: 0, forwarded: 0 },
    timedOut: 0,
    malformed: 0,
  };
  readonly #seats = new Map<NodeId, Seat>();

  take(seat: Seat): undefined {
    const former = this.#seats.get(seat.id);
    this.#seats.set(seat.id, seat);
    former?.takenOver();
  }

  leave(seat: Seat): void {
    if (this.#seats.get(seat.id) === seat) this.#seats.delete(seat.id);
  }

  pass(to: NodeId, frame: string): Outcome {
    return this.#seats.get(to)?.push(frame) ?? 'not-here';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#seats.clear();
  }
}
