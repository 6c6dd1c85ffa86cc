// Reverse: when the peer cannot be dialled but we can, ask it through signalling to dial us.
//
//   initiator                 server                  responder
//      │  reverse-request ──────▶│──────────────────────▶│  checks: admitted? endpoint ours to dial?
//      │◀──────────────── TCP, TLS, hello(dial-back) ────│  dials, proves who it is
//      │ ─────────────── accept ────────────────────────▶│  pipe open; the requester is its initiator

import { dialOnStrangersWord } from '../address/dial-policy.js';
import { NodeAddress } from '../address/node-address.js';
import { refusalOf } from './answers.js';
import { candidates, onSameMachine, vantageOf, whyNoCandidate } from './candidates.js';
import { dialAny } from './direct.js';
import { nobodyVouches } from './peer-servers.js';
import { type Reason, StrategyFailure } from './reasons.js';
import type { PeerRequest, Strategy } from './strategy.js';

/** The same obstacles, seen from the side on which they stand. */
const ON_OUR_SIDE: Partial<Record<Reason, Reason>> = {
  'not-listening': 'self-not-listening',
  'behind-nat': 'self-behind-nat',
  'behind-firewall': 'self-behind-firewall',
};

export const reverse: Strategy = {
  name: 'reverse',
  budgetMs: 8000,
  headStartMs: 1000, // through the server and back, and a handshake, on a slow line
  opener: 'reverse-request',

  assess(self, peer) {
    const impossible = (reason: Reason) => ({ verdict: 'impossible' as const, reason, roundTrips: 0 });
    if (peer.servers.length === 0 && self.servers.length === 0) return impossible('no-signalling');
    if (!peer.capabilities.includes('reverse')) return impossible('not-supported');
    const best = candidates(peer, self)[0];
    if (!best) {
      const reason = whyNoCandidate(peer, self);
      return impossible(ON_OUR_SIDE[reason] ?? reason);
    }
    if (nobodyVouches(self, peer)) return impossible('nobody-vouches');
    const known = self.interfaces.some(({ tcp, mapping }) => tcp.kind === 'open' || mapping?.proved);
    if (best.near !== 'world' && !best.proved)
      return { verdict: 'possible', reason: 'same-outside-address', roundTrips: 3.5 };
    const likely = best.near !== 'world' || (best.proved && known);
    return likely
      ? { verdict: 'likely', reason: best.near === 'world' ? 'self-open-port' : best.near, roundTrips: 3.5 }
      : { verdict: 'possible', reason: 'unknown-nat', roundTrips: 3.5 };
  },

  async initiate(attempt, signal) {
    const { self, peer, inbound } = attempt;
    const endpoints = candidates(peer, self).map(({ endpoint }) => endpoint);
    const channel = attempt.channel();
    using dialBack = inbound.expect(attempt.id, peer.id);
    await channel.send({ type: 'reverse-request', address: self.toString(), endpoints }, { signal });
    return await Promise.race([dialBack.link(signal), refusalOf('reverse-request', channel, signal)]);
  },

  async respond(request, signal) {
    const { body, delivery, self } = request as PeerRequest<'reverse-request'>;
    const requester = NodeAddress.parse(body.address, request.clock.wall());
    if (requester.id !== delivery.from)
      throw new StrategyFailure('policy-refused', 'the address is not the requester’s');
    const who = {
      seenFrom: delivery.seenFrom,
      seenAs: delivery.via.greeting?.seenAs.host,
      sameMachine: onSameMachine(self, requester),
    };
    const vantage = vantageOf(self);
    const allowed = body.endpoints.filter(endpoint => 'near' in dialOnStrangersWord(endpoint, vantage, who));
    if (allowed.length === 0) {
      throw new StrategyFailure(who.seenFrom === undefined ? 'nobody-vouches' : 'policy-refused');
    }
    return dialAny(
      allowed,
      request,
      delivery.from,
      { purpose: 'dial-back', attempt: request.attempt },
      signal,
    );
  },
};
