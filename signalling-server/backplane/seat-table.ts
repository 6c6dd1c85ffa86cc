// Who sits here, by id. A node may list several names of one service (two processes, or an address and a name), or
// dial a further one that a peer's address holds: it has one seat for each of those ways, and they live side by
// side. Whoever comes by a way again, or as another process with the same key, displaces who was there.
import { createHash, randomBytes } from 'node:crypto';
import type { NodeId } from '../../src/identity/node-id.js';
import type { Outcome, Seat } from './backplane.js';

/** As many as an address may list; the oldest is displaced by one more. */
const MAX_WAYS = 4;

/**
 * The way that a client came by: its running node, and the host that it dialled.
 * @param instance what the node calls itself while it runs; without one every registration displaces every other
 */
export function seatWay(instance: string | undefined, host: string): string {
  const dialled = createHash('sha256').update(host.toLowerCase()).digest('base64url').slice(0, 8);
  return `${instance ?? randomBytes(12).toString('base64url')}.${dialled}`;
}

/** Whether two seats of one id cannot be held at one time. */
export function excludes(way: string, other: string): boolean {
  return way === other || way.split('.')[0] !== other.split('.')[0];
}

export class SeatTable<Entry extends { readonly seat: Seat }> {
  readonly #entries = new Map<NodeId, readonly Entry[]>();

  /** Adds it, and takes out whatever it displaces. */
  take(entry: Entry): readonly Entry[] {
    const { id, way } = entry.seat;
    const present = this.of(id);
    const staying = present.filter(({ seat }) => !excludes(seat.way, way)).slice(1 - MAX_WAYS);
    this.#entries.set(id, [...staying, entry]);
    return present.filter(other => !staying.includes(other));
  }

  /** Takes the seat out, if it is still in. */
  leave(seat: Seat): void {
    const left = this.of(seat.id).filter(entry => entry.seat !== seat);
    if (left.length === 0) this.#entries.delete(seat.id);
    else this.#entries.set(seat.id, left);
  }

  /** Oldest first. */
  of(id: NodeId): readonly Entry[] {
    return this.#entries.get(id) ?? [];
  }

  /** To the latest seat that takes it; undefined where nobody sits. */
  push(id: NodeId, frame: string, onWritten?: (error?: Error | null) => void): Outcome | undefined {
    let outcome: Outcome | undefined;
    for (const { seat } of this.of(id).toReversed()) {
      outcome = seat.push(frame, onWritten);
      if (outcome !== 'not-here') break;
    }
    return outcome;
  }

  *all(): Iterable<Entry> {
    for (const entries of this.#entries.values()) yield* entries;
  }

  clear(): void {
    this.#entries.clear();
  }
}
