// What a process holds: sockets and timers as Node.js counts them, and abort listeners on every signal that is alive.
// To be imported before anything that makes signals. Needs `node --expose-gc`.
import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const signals = new Set<WeakRef<AbortSignal>>();

globalThis.AbortController = class extends AbortController {
  constructor() {
    super();
    signals.add(new WeakRef(this.signal));
  }
};

export interface Held {
  readonly sockets: number;
  readonly timers: number;
  readonly listeners: number;
}

function held(): Held {
  globalThis.gc!();
  const resources = process.getActiveResourcesInfo();
  const count = (pattern: RegExp) => resources.filter(name => pattern.test(name)).length;
  let listeners = 0;
  for (const reference of signals) {
    const signal = reference.deref();
    if (signal) listeners += getEventListeners(signal, 'abort').length;
    else signals.delete(reference);
  }
  return { sockets: count(/TCP|TLS|UDP/), timers: count(/Timeout/), listeners };
}

/** What is held once it has stopped getting less, or is no more than `before`; closing takes a moment. */
export async function heldAtRest(before?: Held, limitMs = 20_000): Promise<Held> {
  const until = performance.now() + limitMs;
  const enough = (now: Held) =>
    before &&
    now.sockets <= before.sockets &&
    now.timers <= before.timers &&
    now.listeners <= before.listeners;
  await sleep(1000);
  let now = held();
  while (before && !enough(now) && performance.now() < until) {
    await sleep(250);
    now = held();
  }
  return now;
}
