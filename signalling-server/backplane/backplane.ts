// Who is where. The router knows only this interface; the embedded backplane below is one process's memory, and
// others join several processes into one service.
import type { NodeId } from '../../src/identity/node-id.js';
import { SeatTable } from './seat-table.js';

/** A registered client of this process, as a backplane sees it. */
export interface Seat {
  readonly id: NodeId;
  /** Which of its node's ways to the service this is (seat-table.ts). */
  readonly way: string;
  /**
   * Hands over one finished frame. `too-slow`: the client had stopped reading and is being dropped.
   * @param onWritten after `sent` only: the kernel has taken the frame, or (with an error) never will.
   */
  push(frame: string, onWritten?: (error?: Error | null) => void): 'sent' | 'not-here' | 'too-slow';
  /** Its node has come back by the same way, or another process has the same key. */
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
   * Seats a client; whom it displaces, anywhere, is told that it is taken over. Where that takes time, it is done
   * when the promise resolves; it never rejects.
   */
  take(seat: Seat): Promise<void> | undefined;
  /** Frees the seat, if it is still taken. */
  leave(seat: Seat): void;
  /** Passes a finished frame to one seat of the id. At once where that can be known at once. */
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
  readonly #seats = new SeatTable<{ readonly seat: Seat }>();

  take(seat: Seat): undefined {
    for (const former of this.#seats.take({ seat })) former.seat.takenOver();
  }

  leave(seat: Seat): void {
    this.#seats.leave(seat);
  }

  pass(to: NodeId, frame: string): Outcome {
    return this.#seats.push(to, frame) ?? 'not-here';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#seats.clear();
  }
}
