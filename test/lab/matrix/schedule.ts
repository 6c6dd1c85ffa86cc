// Runs several things beside each other that must not share a place: two runs never have the same initiator
// or the same responder at one time, so none disturbs another's NAT.

export interface Booking {
  /** Whatever it occupies. */
  readonly places: readonly string[];
}

/**
 * Works through the bookings, up to `atOnce` at a time, first come first served among those whose places are
 * free. Rejects with the first failure, after those under way have ended.
 */
export async function runDisjoint<T extends Booking>(
  bookings: readonly T[],
  atOnce: number,
  work: (booking: T) => Promise<void>,
): Promise<void> {
  const waiting = [...bookings];
  const occupied = new Set<string>();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  while (waiting.length > 0 && failures.length === 0) {
    const next = waiting.findIndex(({ places }) => places.every(place => !occupied.has(place)));
    if (next === -1 || running.size >= atOnce) {
      await Promise.race(running);
      continue;
    }
    const [booking] = waiting.splice(next, 1);
    for (const place of booking!.places) occupied.add(place);
    const task: Promise<void> = work(booking!)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        for (const place of booking!.places) occupied.delete(place);
        running.delete(task);
      });
    running.add(task);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
