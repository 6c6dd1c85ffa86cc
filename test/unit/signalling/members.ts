// Nodes as signalling sees them, and clocks that run fast or wrong.
import { createIdentity } from '../../../src/identity/keys.js';
import { type Clock, systemClock } from '../../../src/net/clock.js';
import type { Scope } from '../../../src/net/scope.js';
import type { Ignored, SignallingEvent } from '../../../src/signalling/channel.js';
import type { PeerMessage } from '../../../src/signalling/messages.js';
import { createSignalling } from '../../../src/signalling/signalling.js';

export const REQUEST: PeerMessage = {
  type: 'reverse-request',
  address: 'wl1-an-address',
  endpoints: [{ host: '192.0.2.1', port: 5000 }],
};

export function member(
  scope: Scope,
  servers: readonly string[],
  clock: Clock = systemClock,
  identity = createIdentity(),
) {
  const events: SignallingEvent[] = [];
  const signalling = scope.use(
    createSignalling({ identity, servers, clock, onEvent: event => events.push(event) }),
  );
  return {
    identity,
    signalling,
    events,
    recipient: { id: identity.id, sealingKey: identity.sealingPublicKey },
    /** How often something was dropped for this reason. */
    ignored: (reason: Ignored['reason']) =>
      events.filter(event => event.event === 'signalling-ignored' && event.reason === reason).length,
  };
}

export type Member = ReturnType<typeof member>;

/** Real time, `factor` times as fast, and a calendar that is wrong. */
export function strangeClock({ factor = 1, wallOffsetMs = 0 }): Clock {
  return {
    now: () => systemClock.now() * factor,
    wall: () => systemClock.wall() + wallOffsetMs,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    deadline: (ms, parent) => systemClock.deadline(ms / factor, parent),
  };
}

/** Waits until something is so; the test's own time limit ends it otherwise. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(5);
}
