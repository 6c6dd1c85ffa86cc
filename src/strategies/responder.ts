// The other half: requests of peers to act in their attempts. One attempt may ask for one strategy after another;
// it takes one of the peer's places for all of them. Whoever is not admitted, asks too often or names what may not be
// dialled hears a reason and nothing else happens.
import type { NodeAddress } from '../address/node-address.js';
import { WayleaveError } from '../errors.js';
import { publish } from '../events.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import type { Clock } from '../net/clock.js';
import type { AttemptChannel, Delivery, Heard, SignallingChannel } from '../signalling/channel.js';
import type { TurnServer } from '../turn/turn-server.js';
import type { DialLimiter } from './dial-limits.js';
import { REFUSALS, type Reason, reasonOf, StrategyFailure } from './reasons.js';
import type { Link, PeerRequest, Strategy, StrategyName } from './strategy.js';
import type { WarmPunchPorts } from './warm-punch-ports.js';

/** An attempt that has asked for nothing for so long, with nothing under way, is over: its initiator has gone. */
const IDLE_MS = 15_000;
/** What the initiator has proved at the end of its own time may take so much longer to be heard here. */
const LAST_WORDS_MS = 10_000;

export interface Responder {
  readonly strategies: readonly Strategy[];
  readonly identity: Identity;
  readonly clock: Clock;
  readonly limiter: DialLimiter;
  readonly handshakeTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly punchPorts: WarmPunchPorts;
  turnServers(via: SignallingChannel): Promise<TurnServer[]>;
  /** Our present address. */
  self(): NodeAddress;
  admit(peer: NodeId): boolean | Promise<boolean>;
  onOpen(link: Link, strategy: StrategyName): void;
  readonly signal: AbortSignal;
}

const CANCELLED = new WayleaveError('aborted', 'the peer cancelled its attempt');
const SETTLED = new WayleaveError('aborted', 'the attempt has its connection');
const IDLE = new WayleaveError('aborted', 'the peer asked for nothing more');

/** Takes part in one attempt, from its first request to its end. Never rejects. */
export async function respond(responder: Responder, delivery: Delivery): Promise<void> {
  const { clock, limiter, admit, signal, strategies } = responder;
  const { from: peer, body } = delivery;
  const strategyFor = (type: string) => strategies.find(({ opener, respond: act }) => opener === type && act);
  if (!strategyFor(body.type)) return;
  using place = limiter.admit(peer);
  if (!place) {
    // without taking part: what the attempt asks for next may find a place
    const [type, reason] = [body.type, 'rate-limited'] as const;
    publish('request-ended', { attempt: delivery.attempt, peer, type, outcome: 'failed', reason });
    await delivery.answer({ type: 'refused', of: type, reason }, { signal }).catch(() => {});
    return;
  }
  using view = delivery.accept(); // before anything is waited for: a cancel may be right behind
  const admitted = Promise.resolve(admit(peer));
  const over = new AbortController();
  using life = clock.deadline(2 ** 30, [signal, over.signal]);
  const begun = new Set<Strategy>();
  const running = new Set<Promise<void>>();
  const begin = (request: Pick<Heard, 'body' | 'seenFrom' | 'via'>) => {
    const strategy = strategyFor(request.body.type);
    if (!strategy || begun.has(strategy)) return; // its own further messages it reads itself
    begun.add(strategy);
    const one = play(responder, strategy, { ...delivery, ...request }, view, admitted, life.signal).then(
      link => {
        running.delete(one);
        if (link) over.abort(SETTLED);
        else if (running.size === 0) void idle();
      },
    );
    running.add(one);
  };
  const idle = async () => {
    const before = begun.size;
    await clock.sleep(IDLE_MS, life.signal).catch(() => {});
    if (begun.size === before && running.size === 0) over.abort(IDLE);
  };
  view.onMessage(heard => {
    if (heard.body.type === 'cancel') over.abort(CANCELLED);
    else begin(heard);
  });
  // what is under way winds down by itself: the peer may already ask again
  life.signal.addEventListener('abort', () => place[Symbol.dispose](), { once: true });
  begin(delivery);
  await new Promise<void>(resolve => life.signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.all(running);
}

/** Plays our half of one strategy; true when it brought up the connection. Never rejects. */
async function play(
  responder: Responder,
  strategy: Strategy,
  delivery: Delivery,
  channel: AttemptChannel,
  admitted: Promise<boolean>,
  life: AbortSignal,
): Promise<boolean> {
  const { clock, identity, handshakeTimeoutMs, heartbeatMs, punchPorts } = responder;
  const { from: peer, attempt, body } = delivery;
  const ended = (outcome: string, reason: Reason) =>
    publish('request-ended', { attempt, peer, type: body.type, outcome, reason });
  publish('request-received', { attempt, peer, type: body.type });
  using budget = clock.deadline(strategy.budgetMs + LAST_WORDS_MS, life);
  const request: PeerRequest = {
    attempt,
    self: responder.self(),
    identity,
    clock,
    handshakeTimeoutMs,
    heartbeatMs,
    punchPorts,
    serverRoundTripMs: delivery.via.roundTripMs ?? 0,
    turnServers: () => responder.turnServers(delivery.via),
    channel,
    delivery,
    body,
  };
  let link: Link | undefined;
  try {
    if (!(await admitted)) throw new StrategyFailure('peer-refused');
    link = await strategy.respond!(request, budget.signal);
    if (life.aborted) throw new StrategyFailure('aborted');
    await link.nominate(budget.signal);
  } catch (error) {
    link?.secured.socket.destroy();
    const reason = reasonOf(error);
    ended('failed', reason);
    const told = REFUSALS.find(refusal => refusal === reason) ?? 'peer-could-not';
    if (!life.aborted)
      await channel.send({ type: 'refused', of: body.type, reason: told }, { signal: life }).catch(() => {});
    return false;
  }
  ended('won', 'connected');
  responder.onOpen(link, strategy.name);
  return true;
}
