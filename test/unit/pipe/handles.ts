// Whether a test left sockets or timers behind.
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';

function held(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    if (/TCP|TLS|Timeout|JSStream/.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Runs `work` and fails unless, within 3 s, there are no more sockets and timers of each kind than before. */
export async function leavesNothing(work: () => Promise<void>): Promise<void> {
  const before = held();
  await work();
  const left = () => [...held()].filter(([name, count]) => count > (before.get(name) ?? 0));
  const until = performance.now() + 3000; // closing a socket takes a turn or two
  while (left().length > 0 && performance.now() < until) await turn();
  expect(left()).toEqual([]);
}
