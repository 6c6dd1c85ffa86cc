// Relay: where no hole can be made, both nodes open a TCP allocation at a TURN server and are joined there (RFC 6062).
// The server sees ciphertext: the usual handshake runs through it, end to end. Both allocate at once, and each message
// leaves before what it says has been confirmed where the peer cannot be faster; `≈` marks what happens meanwhile.
//
//   initiator                   TURN server                   responder
//      │ ──────────── relay-offer: my servers (signalling) ─────▶ │
//      │ Allocate ─────────────────▶│                             │
//      │ CreatePermission ─────────▶│◀────────────────── Allocate │
//      │ ─── relay-address: my relayed address (signalling) ────▶ │
//      │ ≈ a spare connection ─────▶│◀──── ≈ a spare connection ──│
//      │ ◀── (signalling) relay-answer: my relayed address ────── │
//      │ ◀── ConnectionAttempt ─────│◀─────────────────── Connect │
//      │ ConnectionBind ───────────▶│◀──────────── ConnectionBind │
//      │ ◀══════════ TLS 1.3, the initiator is the client ══════▶ │
import { NodeAddress } from '../address/node-address.js';
import { WayleaveError } from '../errors.js';
import { secure } from '../pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../pipe/opening.js';
import { answerTo } from './answers.js';
import { type Reason, StrategyFailure } from './reasons.js';
import { allocate, inCommon, untilAdmitted } from './relay-meeting.js';
import { SideTasks } from './side-tasks.js';
import type { PeerRequest, Strategy } from './strategy.js';

const LEAD_MS = 1000;

export const relay: Strategy = {
  name: 'relay',
  budgetMs: 10_000,
  headStartMs: 0, // the last of the list
  leadMs: LEAD_MS, // its seven round trips on a line of ordinary length; a hole that is made sooner costs the relay nothing
  opener: 'relay-offer',

  assess(self, peer) {
    const impossible = (reason: Reason) => ({ verdict: 'impossible' as const, reason, roundTrips: 0 });
    if (peer.servers.length === 0 && self.servers.length === 0) return impossible('no-signalling');
    if (!peer.capabilities.includes('relay')) return impossible('no-relay');
    // a node without a relay of its own is granted one by the peer's server, where it registers to reach the peer
    if (!self.capabilities.includes('relay') && peer.servers.length === 0) return impossible('self-no-relay');
    return { verdict: 'likely', reason: 'relay-available', roundTrips: 7 };
  },

  async initiate(attempt, signal) {
    const { identity, peer, self, handshakeTimeoutMs: timeoutMs, heartbeatMs: keepAliveMs } = attempt;
    const servers = await attempt.turnServers(signal);
    if (servers.length === 0) throw new StrategyFailure('self-no-relay');
    using tasks = new SideTasks(attempt.clock, signal);
    const within = { signal: tasks.signal };
    const channel = attempt.channel();
    const places = servers.map(({ endpoint }) => endpoint);
    tasks.run(channel.send({ type: 'relay-offer', address: self.toString(), servers: places }, within));
    const answered = tasks.run(answerTo('relay-offer', channel, 'relay-answer', tasks.signal));
    await using end = await allocate(servers, { ...within, keepAliveMs });
    const { relayed, relayedTransport: transport } = end;
    end.expectStream();
    // most likely the peer is at the same server, and comes from the same address
    const admitted = transport === 'tcp' ? end.admit(relayed, within) : Promise.resolve();
    admitted.catch(() => {}); // it matters only if the peer is there
    tasks.run(channel.send({ type: 'relay-address', relayed, transport }, within));
    const { body } = await answered;
    if (body.relayed.host === relayed.host) await admitted;
    else if (transport === 'tcp') {
      await end.admit(body.relayed, within);
      tasks.run(channel.send({ type: 'relay-address', relayed, transport }, within));
    }
    const stream = await end.accept(body.relayed, within);
    const secured = await secure(stream, identity, {
      role: 'client',
      expected: peer.id,
      timeoutMs,
      fault: end.fault,
      ...within,
    });
    end.own(stream);
    return {
      secured,
      local: relayed,
      remote: body.relayed,
      // the peer has agreed by its answer, so there is nothing to wait for
      nominate: nominating =>
        sendHello(
          secured,
          { purpose: 'open', attempt: attempt.id },
          { signal: nominating, waitForAccept: false },
        ),
    };
  },

  async respond(received, signal) {
    const request = received as PeerRequest<'relay-offer'>;
    const { body, delivery, identity, channel, clock, handshakeTimeoutMs: timeoutMs } = request;
    const { heartbeatMs: keepAliveMs } = request;
    const requester = NodeAddress.parse(body.address, clock.wall());
    const expected = delivery.from;
    if (requester.id !== expected)
      throw new StrategyFailure('policy-refused', 'the address is not the requester’s');
    const servers = inCommon(await request.turnServers(signal), body.servers);
    if (servers.length === 0) throw new StrategyFailure('peer-could-not');
    using tasks = new SideTasks(clock, signal);
    const within = { signal: tasks.signal };
    const addressed = tasks.run(channel.next('relay-address', within));
    await using first = await allocate(servers, { ...within, keepAliveMs });
    first.expectStream();
    const { relayed: remote, transport } = (await addressed).body;
    await using end =
      first.relayedTransport === transport
        ? first
        : await allocate(servers, { ...within, keepAliveMs }, transport);
    tasks.run(channel.send({ type: 'relay-answer', relayed: end.relayed }, within));
    const admitted = transport === 'udp' || remote.host === end.relayed.host;
    if (!admitted) await channel.next('relay-address', within);
    const { stream, secured } = await untilAdmitted(clock, tasks.signal, async () => {
      const stream = await end.connect(remote, within);
      const options = { role: 'server', expected, timeoutMs, fault: end.fault, ...within } as const;
      return { stream, secured: await secure(stream, identity, options) };
    });
    const hello = await receiveHello(secured, { timeoutMs: timeoutMs + LEAD_MS, ...within });
    if (hello.purpose !== 'open' || hello.attempt !== request.attempt) {
      secured.socket.destroy();
      throw new WayleaveError('protocol-error', 'a connection of another attempt');
    }
    end.own(stream);
    return { secured, local: end.relayed, remote, nominate: async () => accept(secured) };
  },
};
