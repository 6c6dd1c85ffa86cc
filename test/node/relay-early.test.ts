// The relay begins before its turn, so as to be ready: where another strategy then wins after all, whatever the moment,
// nothing of it stays, neither here nor at the peer nor at the server.
import { describe, expect, it } from 'vitest';
import { createRelay, type Relay } from '../../signalling-server/turn/relay.js';
import { createIdentity } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import { connectBy } from '../../src/strategies/connector.js';
import { relay } from '../../src/strategies/relay.js';
import type { Attempt, PeerRequest, Strategy } from '../../src/strategies/strategy.js';
import { resolveTurnServer } from '../../src/turn/turn-server.js';
import { HOUR, type OwnFields, signed } from '../unit/address/samples.js';
import { leavesNothing } from '../unit/pipe/handles.js';
import { securedPair } from '../unit/pipe/pairs.js';
import { channels } from './views.js';

/** The relay begins at half of it. */
const HEAD_START_MS = 1_400;

/** How far the relay has come when the punch wins. */
const MOMENTS: [string, (counters: Relay['counters']) => boolean][] = [
  ['it has just begun', ({ connectionsNow }) => connectionsNow > 0],
  ['one side has its allocation', ({ allocations }) => allocations > 0],
  ['both have', ({ allocations }) => allocations === 2],
  ['both ends are joined', ({ streams }) => streams === 1],
];

/** A punch that arrives when that holds. */
async function punchOnce(holds: () => boolean): Promise<Strategy & Disposable> {
  const ends = await securedPair();
  const at = { host: '127.0.0.1', port: 1 };
  return {
    name: 'punch',
    budgetMs: 10_000,
    headStartMs: HEAD_START_MS,
    assess: () => ({ verdict: 'likely', reason: 'known-ports', roundTrips: 4 }),
    async initiate(_, signal) {
      while (!holds() && !signal.aborted) await new Promise(resolve => setTimeout(resolve, 1));
      return { secured: ends[0], local: at, remote: at, nominate: async () => {} };
    },
    [Symbol.dispose]() {
      for (const { socket } of ends) socket.destroy();
    },
  };
}

describe('a relay that began early and is not needed leaves nothing', () => {
  it.each(MOMENTS)('when %s', async (_, holds) => {
    await using server = await createRelay({ host: '127.0.0.1', port: 0, allowLoopbackPeers: true });
    const { counters } = server;
    const { urls, ...account } = server.grant('somebody');
    const turnServers = () => resolveTurnServer(urls.find(url => url.endsWith('tcp'))!, account);
    await leavesNothing(async () => {
      const [alice, bob] = [createIdentity(), createIdentity()];
      const fields: Partial<OwnFields> = {
        issuedAt: Date.now(),
        expiresAt: Date.now() + HOUR,
        capabilities: ['relay'],
      };
      const { initiator, responder } = channels();
      const common = { clock: systemClock, handshakeTimeoutMs: 5_000, heartbeatMs: 10_000, turnServers };
      const attempt = {
        ...common,
        id: 'attempt',
        identity: alice,
        self: signed(fields, alice),
        peer: signed(fields, bob),
        channel: () => initiator,
      } as unknown as Attempt;
      const cancelled = new AbortController();
      const responding = (async () => {
        const { body } = await responder.next('relay-offer', cancelled);
        const delivery = { from: alice.id };
        const request = { ...common, attempt: 'attempt', identity: bob, channel: responder, delivery, body };
        await relay.respond!(request as unknown as PeerRequest, cancelled.signal);
      })();
      using punch = await punchOnce(() => holds(counters));
      const { strategy, attempts } = await connectBy([punch, relay], attempt, new AbortController().signal);
      cancelled.abort(); // what the peer does when it hears of it
      expect(strategy).toBe('punch');
      expect(attempts[1]).toMatchObject({ outcome: 'cancelled', reason: 'other-won' });
      await expect(responding).rejects.toThrow();
      await expect.poll(() => [counters.allocationsNow, counters.connectionsNow]).toEqual([0, 0]);
      initiator[Symbol.dispose]();
      responder[Symbol.dispose]();
    });
  });
});
