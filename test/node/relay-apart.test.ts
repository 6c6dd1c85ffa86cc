// Two ends at relays that know nothing of each other: the connection crosses from one relayed address to the other.
import { describe, expect, it } from 'vitest';
import { createRelay } from '../../signalling-server/turn/relay.js';
import { createIdentity } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import type { PeerMessage } from '../../src/signalling/messages.js';
import { relay } from '../../src/strategies/relay.js';
import type { Attempt, PeerRequest } from '../../src/strategies/strategy.js';
import { resolveTurnServer, type TurnServer } from '../../src/turn/turn-server.js';
import { HOUR, signed } from '../unit/address/samples.js';
import { channels } from './views.js';

const fresh = { issuedAt: Date.now(), expiresAt: Date.now() + HOUR };
const relayAt = (host: string) => createRelay({ host, port: 0, allowLoopbackPeers: true });

async function serverOf(
  at: Awaited<ReturnType<typeof relayAt>>,
  transport: 'tcp' | 'udp',
): Promise<TurnServer[]> {
  const { urls, ...account } = at.grant('somebody');
  return resolveTurnServer(urls.find(url => url.endsWith(transport))!, account);
}

describe('two relays', () => {
  it.each([
    ['apart: the initiator admits the other relay, and says so', '127.0.0.2', 'tcp', 2],
    ['at one address', '127.0.0.1', 'tcp', 1],
    ['that relay datagrams', '127.0.0.2', 'udp', 1],
  ] as const)('%s', async (_, host, transport, addresses) => {
    await using left = await relayAt('127.0.0.1');
    await using right = await relayAt(host);
    const [alice, bob] = [createIdentity(), createIdentity()];
    const log: PeerMessage['type'][] = [];
    const { initiator, responder } = channels(log);
    const common = { clock: systemClock, handshakeTimeoutMs: 5000 };
    const attempt = {
      ...common,
      id: 'attempt',
      identity: alice,
      self: signed(fresh, alice),
      peer: signed(fresh, bob),
      turnServers: () => serverOf(left, transport),
      channel: () => initiator,
    } as unknown as Attempt;
    const { signal } = new AbortController();
    const calling = relay.initiate(attempt, signal);
    calling.catch(() => {});
    const offer = await responder.next('relay-offer', { signal });
    const request = {
      ...common,
      attempt: 'attempt',
      identity: bob,
      channel: responder,
      turnServers: () => serverOf(right, transport),
      delivery: { from: alice.id },
      body: offer.body,
    } as unknown as PeerRequest;
    const answering = relay.respond!(request, signal);
    answering.catch(() => {});
    const near = await calling;
    await near.nominate(signal);
    const far = await answering;
    expect([near.remote, far.remote]).toEqual([far.local, near.local]);
    expect(far.local.host).toBe(host);
    expect(log.filter(type => type === 'relay-address')).toHaveLength(addresses);
    near.secured.socket.destroy();
    far.secured.socket.destroy();
    for (const { counters } of [left, right]) {
      await expect.poll(() => counters.allocationsNow, { timeout: 5000 }).toBe(0);
    }
  });
});
