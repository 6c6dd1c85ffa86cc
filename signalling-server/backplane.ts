// Who is where. The router knows only this interface; the embedded backplane below is one process's memory, and
// others join several processes into one service.
import type { NodeId } from '../src/identity/node-id.js';

/** A registered client of this process, as a backplane sees it. */
export interface Seat {
  readonly id: NodeId;
  /** Hands over one finished frame. `too-slow`: the client had stopped reading and is being dropped. */
  push(frame: string): 'sent' | 'not-here' | 'too-slow';
  /** The same id has registered elsewhere. */
  takenOver(): void;
}

/** What became of a message: handed to the recipient's connection, or why not. */
export type Outcome = 'sent' | 'not-here' | 'too-slow' | 'unavailable';

export interface Backplane extends AsyncDisposable {
  readonly name: string;
  /** Whether the whole of the service is in reach; /readyz asks. */
  readonly healthy: boolean;
  /** Seats a client; whoever held its id before, anywhere, is told that it is taken over. */
  take(seat: Seat): void;
  /** Frees the seat, if it is still this one that holds the id. */
  leave(seat: Seat): void;
  /** Passes a finished frame to whoever holds the id. At once where that can be known at once. */
  pass(to: NodeId, frame: string): Outcome | Promise<Outcome>;
}

export class EmbeddedBackplane implements Backplane {
  readonly name = 'embedded';
  readonly healthy = true;
  readonly #seats = new Map<NodeId, Seat>();

  take(seat: Seat): void {
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
