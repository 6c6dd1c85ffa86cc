// The other half: requests of peers to act in their attempts. Whoever is not admitted, asks too often or names
// what may not be dialled hears a reason and nothing else happens.

import type { NodeAddress } from '../address/node-address.js';
import { WayleaveError } from '../errors.js';
import { publish } from '../events.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import type { Clock } from '../net/clock.js';
import type { Delivery, SignallingChannel } from '../signalling/channel.js';
import type { TurnServer } from '../turn/turn-server.js';
import type { DialLimiter } from './dial-limits.js';
import { REFUSALS, reasonOf, StrategyFailure } from './reasons.js';
import type { Link, PeerRequest, Strategy, StrategyName } from './strategy.js';
import type { WarmPunchPorts } from './warm-punch-ports.js';

export interface Responder {
  readonly strategies: readonly Strategy[];
  readonly identity: Identity;
  readonly clock: Clock;
  readonly limiter: DialLimiter;
  readonly handshakeTimeoutMs: number;
  readonly punchPorts: WarmPunchPorts;
  turnServers(via: SignallingChannel): Promise<TurnServer[]>;
  /** Our present address. */
  self(): NodeAddress;
  admit(peer: NodeId): boolean | Promise<boolean>;
  onOpen(link: Link, strategy: StrategyName): void;
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
  try {
    if (!place) throw new StrategyFailure('rate-limited');
    if (!(await responder.admit(peer))) throw new StrategyFailure('peer-refused');
    using view = delivery.accept();
    const given = new AbortController();
    using budget = clock.deadline(strategy.budgetMs, [signal, given.signal]);
    view.onMessage(({ body: { type } }) => {
      if (type === 'cancel') given.abort(CANCELLED);
    });
    const { identity, handshakeTimeoutMs, punchPorts } = responder;
    const request: PeerRequest = {
      attempt,
      self: responder.self(),
      identity,
      clock,
      handshakeTimeoutMs,
      punchPorts,
      serverRoundTripMs: delivery.via.roundTripMs ?? 0,
      turnServers: () => responder.turnServers(delivery.via),
      channel: view,
      delivery,
      body,
    };
    const link = await strategy.respond(request, budget.signal);
    try {
      await link.nominate(budget.signal);
    } catch (error) {
      link.secured.socket.destroy();
      throw error;
    }
    publish('request-ended', { attempt, peer, type: body.type, outcome: 'won', reason: 'connected' });
    responder.onOpen(link, strategy.name);
  } catch (error) {
    const reason = reasonOf(error);
    publish('request-ended', { attempt, peer, type: body.type, outcome: 'failed', reason });
    if (error === CANCELLED || signal.aborted) return;
    const told = REFUSALS.find(refusal => refusal === reason) ?? 'peer-could-not';
    await delivery.answer({ type: 'refused', reason: told }, { signal }).catch(() => {});
  }
}

const CANCELLED = new WayleaveError('aborted', 'the peer cancelled its attempt');
