// Relay: where no hole can be made, both nodes open a TCP allocation at a TURN server and are joined there (RFC 6062).
// The server sees ciphertext: the usual handshake runs through it, end to end.
//
//   initiator                 TURN server                 responder
//      │ Allocate ──────────────▶│                            │
//      │  relay-offer: my relayed address ── signalling ────▶ │
//      │                         │◀──────────────── Allocate, CreatePermission
//      │ ◀── signalling ── relay-answer: my relayed address   │
//      │ Connect ───────────────▶│─── ConnectionAttempt ─────▶│
//      │ ConnectionBind ────────▶│◀────────── ConnectionBind ─│
//      │ ◀═════════ TLS 1.3, the initiator is the client ════▶│
import { NodeAddress } from '../address/node-address.js';
import { WayleaveError } from '../errors.js';
import { secure } from '../pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../pipe/opening.js';
import { openRelay, type RelayEnd } from '../turn/relay-stream.js';
import type { TurnServer } from '../turn/turn-server.js';
import { answerTo } from './answers.js';
import { type Reason, StrategyFailure } from './reasons.js';
import type { PeerRequest, Strategy } from './strategy.js';

export const relay: Strategy = {
  name: 'relay',
  budgetMs: 10_000,
  headStartMs: 0, // the last of the list
  opener: 'relay-offer',

  assess(self, peer) {
    const impossible = (reason: Reason) => ({ verdict: 'impossible' as const, reason, roundTrips: 0 });
    if (peer.servers.length === 0 && self.servers.length === 0) return impossible('no-signalling');
    if (!peer.capabilities.includes('relay')) return impossible('no-relay');
    // a node without a relay of its own is granted one by the peer's server, where it registers to reach the peer
    if (!self.capabilities.includes('relay') && peer.servers.length === 0) return impossible('self-no-relay');
    return { verdict: 'likely', reason: 'relay-available', roundTrips: 8 };
  },

  async initiate(attempt, signal) {
    const { identity, peer, self, handshakeTimeoutMs: timeoutMs } = attempt;
    const end = await allocate(await attempt.turnServers(signal), signal, 'self-no-relay');
    try {
      const channel = attempt.channel();
      const { relayedTransport } = end;
      await channel.send(
        { type: 'relay-offer', address: self.toString(), relayed: end.relayed, transport: relayedTransport },
        { signal },
      );
      const { body } = await answerTo('relay-offer', channel, 'relay-answer', signal);
      await end.admit(body.relayed, { signal });
      const stream = await end.connect(body.relayed, { signal });
      const secured = await secure(stream, identity, {
        role: 'client',
        expected: peer.id,
        signal,
        timeoutMs,
      });
      return {
        secured,
        local: end.relayed,
        remote: body.relayed,
        // the peer has agreed by its answer, so there is nothing to wait for
        nominate: nominating =>
          sendHello(
            secured,
            { purpose: 'open', attempt: attempt.id },
            { signal: nominating, waitForAccept: false },
          ),
      };
    } catch (error) {
      await end.close();
      throw error;
    }
  },

  async respond(received, signal) {
    const request = received as PeerRequest<'relay-offer'>;
    const { body, delivery, identity, channel, clock, handshakeTimeoutMs: timeoutMs } = request;
    const requester = NodeAddress.parse(body.address, clock.wall());
    if (requester.id !== delivery.from)
      throw new StrategyFailure('policy-refused', 'the address is not the requester’s');
    const end = await allocate(await request.turnServers(signal), signal, 'peer-could-not', body.transport);
    try {
      await end.admit(body.relayed, { signal });
      await channel.send({ type: 'relay-answer', relayed: end.relayed }, { signal });
      const stream = await end.accept(body.relayed, { signal });
      const expected = delivery.from;
      const secured = await secure(stream, identity, { role: 'server', expected, signal, timeoutMs });
      const hello = await receiveHello(secured, { signal, timeoutMs });
      if (hello.purpose !== 'open' || hello.attempt !== request.attempt) {
        secured.socket.destroy();
        throw new WayleaveError('protocol-error', 'a connection of another attempt');
      }
      return { secured, local: end.relayed, remote: body.relayed, nominate: async () => accept(secured) };
    } catch (error) {
      await end.close();
      throw error;
    }
  },
};

/** A TCP allocation where a server has them, else one for datagrams; what both ends must share is told to the other. */
async function allocate(
  servers: readonly TurnServer[],
  signal: AbortSignal,
  without: Reason,
  only?: RelayEnd['relayedTransport'],
): Promise<RelayEnd> {
  if (servers.length === 0) throw new StrategyFailure(without);
  if (only !== undefined) return await openRelay(servers, { relayed: only, signal });
  try {
    return await openRelay(servers, { relayed: 'tcp', signal });
  } catch (error) {
    const canFallBack = error instanceof WayleaveError && error.code !== 'aborted' && !signal.aborted;
    if (!canFallBack) throw error;
    return await openRelay(servers, { relayed: 'udp', signal });
  }
}
