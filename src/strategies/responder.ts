// The other half: requests of peers to act in their attempts. Whoever is not admitted, asks too often or names
// what may not be dialled hears a reason and nothing else happens.

import type { NodeAddress } from '../address/node-address.js';
import { publish } from '../events.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import type { Clock } from '../net/clock.js';
import type { Delivery } from '../signalling/channel.js';
import type { DialLimiter } from './dial-limits.js';
import { REFUSALS, type Refusal, reasonOf } from './reasons.js';
import type { Link, Strategy } from './strategy.js';

export interface Responder {
  readonly strategies: readonly Strategy[];
  readonly identity: Identity;
  readonly clock: Clock;
  readonly limiter: DialLimiter;
  readonly handshakeTimeoutMs: number;
  /** Our present address. */
  self(): NodeAddress;
  admit(peer: NodeId): boolean | Promise<boolean>;
  onOpen(link: Link, strategy: Strategy): void;
  readonly signal: AbortSignal;
}

/** Answers one request. Never rejects. */
export async function respond(responder: Responder, delivery: Delivery): Promise<void> {
  const { strategies, clock, limiter, signal } = responder;
  const { from: peer, attempt, body } = delivery;
  const strategy = strategies.find(({ opener }) => opener === body.type);
  if (!strategy?.respond) return;
  publish('request-received', { attempt, peer, type: body.type });
  using place = limiter.admit(peer);
  using budget = clock.deadline(strategy.budgetMs, signal);
  try {
    if (!place) return await refuse(delivery, 'rate-limited', signal);
    if (!(await responder.admit(peer))) return await refuse(delivery, 'peer-refused', signal);
    const { identity, handshakeTimeoutMs } = responder;
    const request = { attempt, self: responder.self(), identity, clock, handshakeTimeoutMs, delivery, body };
    const link = await strategy.respond(request, budget.signal);
    try {
      await link.nominate(budget.signal);
    } catch (error) {
      link.secured.socket.destroy();
      throw error;
    }
    publish('request-ended', { attempt, peer, type: body.type, outcome: 'won', reason: 'connected' });
    responder.onOpen(link, strategy);
  } catch (error) {
    const reason = reasonOf(error);
    const told = REFUSALS.find(refusal => refusal === reason) ?? 'peer-could-not';
    publish('request-ended', { attempt, peer, type: body.type, outcome: 'failed', reason });
    await refuse(delivery, told, signal);
  }
}

async function refuse({ via, reply, attempt, from, body }: Delivery, reason: Refusal, signal: AbortSignal) {
  publish('request-ended', { attempt, peer: from, type: body.type, outcome: 'refused', reason });
  await via.send(reply, attempt, { type: 'refused', reason }, { signal }).catch(() => {});
}
