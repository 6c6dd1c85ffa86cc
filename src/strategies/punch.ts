// TCP hole punching: both sides dial at the same moment, each through its own NAT, and the NATs take the other's SYN
// for an answer (simultaneous open, RFC 5128 section 3.4, RFC 9293 section 3.5).
//
//   initiator                       server                     responder
//      │ (its mapping is known: a spare one, or learned now)        │
//      │  punch-offer: places ────────▶│───────────────────────────▶│ chooses a place, learns its own mapping
//      │◀───────────────────────────── │◀─── punch-answer: its place │
//      │                          ✕ ◀──────────────── SYN ────────── │ dials at once if the initiator's NAT drops what
//      │ dials on receipt                                            │ comes early, else half a signalling round trip
//      │ ──────────────── SYN ──────────────────────▶ open hole      │ later: the same moment, without any clock
//      │ ◀═══ TLS 1.3, the initiator is the client; hello nominates ═▶│
//
// No `go` follows: the answer itself is the signal, since each side knows its round trip to the server. When nothing
// came up, a second and a third round follow with fresh mappings.

import { dialOnStrangersWord } from '../address/dial-policy.js';
import { NodeAddress } from '../address/node-address.js';
import { abortError, WayleaveError } from '../errors.js';
import type { Clock, Deadline } from '../net/clock.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import type { Heard } from '../signalling/channel.js';
import type { PeerMessage } from '../signalling/messages.js';
import { onSameMachine, vantageOf } from './candidates.js';
import { type Meeting, meet } from './punch-meeting.js';
import { offerUntilAnswered } from './punch-offer.js';
import { assessPunch, punchPairs, punchPlaces } from './punch-places.js';
import { isSpray, outlook, type PunchPlan, type PunchSide, planPunch, SYNS_PER_SIDE } from './punch-plan.js';
import type { PunchPort } from './punch-port.js';
import type { SynAllowance } from './punch-run.js';
import { StrategyFailure } from './reasons.js';
import type { Attempt, Link, PeerRequest, Strategy } from './strategy.js';

const ROUNDS = 3;
/** A lost SYN is not waited for there. */
const COMMON_NAT_MS = 900;

export const punch: Strategy = {
  name: 'punch',
  budgetMs: 10_000,
  headStartMs: 2000, // a round trip of half a second still gets its four; then the relay may begin beside it
  opener: 'punch-offer',
  assess: assessPunch,

  async initiate(attempt, signal) {
    const allowance = { left: SYNS_PER_SIDE };
    for (let round = 1; ; round++) {
      try {
        return await initiateRound(round, allowance, attempt, signal);
      } catch (error) {
        if (signal.aborted || !isOutOfTime(error)) throw error;
        const spent = allowance.left < SYNS_PER_SIDE / 2; // hundreds went out and met nobody
        if (round === ROUNDS || spent) throw new StrategyFailure('hole-not-made');
      }
    }
  },

  async respond(received, signal) {
    const request = received as PeerRequest<'punch-offer'>;
    const { channel } = request;
    const allowance = { left: SYNS_PER_SIDE };
    for (let offer = request.body; ; ) {
      const later = (heard: Heard<'punch-offer'>) => heard.body.round > offer.round;
      const next = channel.next('punch-offer', { signal, where: later }).then(({ body }) => body);
      next.catch(() => {}); // nobody may come to wait for it
      try {
        const link = await respondToRound(offer, allowance, request, next, signal);
        if (link) return link;
      } catch (error) {
        if (signal.aborted || !isOutOfTime(error)) throw error;
      }
      offer = await next; // or the initiator's cancel, which aborts the signal, or the end of the budget
    }
  },
};

async function initiateRound(
  round: number,
  allowance: SynAllowance,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Link> {
  const { id, identity, self, peer, punchPorts, clock } = attempt;
  await using scope = new Scope();
  const pairs = punchPairs(self, peer);
  const taking = pairs.map(async ({ own }) => scope.use(await punchPorts.take(own, signal)));
  const ports = (await Promise.allSettled(taking)).flatMap(one =>
    one.status === 'fulfilled' ? [one.value] : [],
  );
  if (signal.aborted) throw abortError(signal);
  if (ports.length === 0) throw new StrategyFailure('not-measured');
  if (pairs.some(({ plan }) => plan === 'birthday'))
    for (const { localAddress } of ports) scope.use(await punchPorts.turns.take(localAddress, signal));
  const places = ports.map(({ side }) => wire(side));
  const roundTripMs = await attempt.serverRoundTripMs(signal);
  const heard = await offerUntilAnswered(
    { type: 'punch-offer', address: self.toString(), round, places, roundTripMs },
    attempt,
    signal,
  );
  const { place, answer: side } = heard.body;
  const port = ports[place];
  const plan = port && planPunch(port.side, side, Math.random);
  if (!plan) throw new StrategyFailure('hole-not-made', 'the peer’s answer fits no plan');
  checkAnswer(side.mapped.host, heard, attempt);
  using time = timeFor(plan, port.side.mapped.host === side.mapped.host, clock, signal);
  return await meet({
    role: 'initiator',
    id,
    identity,
    clock,
    peerId: peer.id,
    port,
    program: plan.initiator,
    allowance,
    peerHost: side.mapped.host,
    round: time.signal,
    whole: signal,
  });
}

/** Behind a common NAT the way is short, and a NAT that sends nothing back inside will not do so later. */
function timeFor({ roundMs }: PunchPlan, common: boolean, clock: Clock, signal: AbortSignal): Deadline {
  if (!common) return clock.deadline(roundMs, signal);
  return clock.deadline(COMMON_NAT_MS, signal, () => new StrategyFailure('no-hairpinning'));
}

/** Undefined: the initiator has begun another round meanwhile. */
async function respondToRound(
  offer: PeerMessage<'punch-offer'>,
  allowance: SynAllowance,
  request: PeerRequest<'punch-offer'>,
  next: Promise<unknown>,
  signal: AbortSignal,
): Promise<Link | undefined> {
  const { attempt: id, identity, clock, channel, delivery } = request;
  await using scope = new Scope();
  const { place, port, plan } = await choose(offer, request, scope, signal);
  const { round } = offer;
  const halfWayMs = (offer.roundTripMs + request.serverRoundTripMs) / 2;
  const startInMs = plan.early ? 0 : halfWayMs;
  // A few dials stay out until the initiator begins another round: its answer may have been held up by loss.
  // Hundreds do not.
  const patient = !isSpray(plan.initiator) && !isSpray(plan.responder);
  using over = clock.deadline(patient ? PATIENT_MS : plan.roundMs + halfWayMs, signal);
  const superseded = new AbortController();
  using whole = clock.deadline(2 ** 30, [signal, superseded.signal]);
  void next.then(() => superseded.abort(SUPERSEDED)).catch(() => {});
  const meeting: Omit<Meeting, 'round' | 'whole'> = {
    role: 'responder',
    id,
    identity,
    clock,
    peerId: delivery.from,
    port,
    program: plan.responder,
    allowance,
    peerHost: offer.places[place]!.mapped.host,
  };
  try {
    // its acknowledgement comes a round trip later, and what counts is when it left
    const answer = { type: 'punch-answer', round, place, answer: wire(port.side), startInMs } as const;
    channel.send(answer, { signal }).catch(error => superseded.abort(error));
    const asked = (heard: Heard<'punch-offer'>) => heard.body.round === round;
    const again = async () => {
      for (;;) {
        await channel.next('punch-offer', { signal: whole.signal, where: asked });
        await channel.send(answer, { signal: whole.signal });
      }
    };
    again().catch(() => {}); // it ends with the round
    await clock.sleep(startInMs, whole.signal);
    return await meet({ ...meeting, round: over.signal, whole: whole.signal });
  } catch (error) {
    if (superseded.signal.reason === SUPERSEDED) return undefined;
    throw error;
  }
}

/** More than the strategy's budget. */
const PATIENT_MS = 60_000;
const SUPERSEDED = new WayleaveError('aborted', 'another round has begun');
const isOutOfTime = (error: unknown) => error instanceof WayleaveError && error.code === 'timeout';

/** The first offered place that may and can be reached from here, with a port of ours for it and the plan. */
async function choose(
  offer: PeerMessage<'punch-offer'>,
  request: PeerRequest<'punch-offer'>,
  scope: Scope,
  signal: AbortSignal,
): Promise<{ place: number; port: PunchPort; plan: PunchPlan }> {
  const { self, delivery, punchPorts, clock } = request;
  const requester = NodeAddress.parse(offer.address, clock.wall());
  if (requester.id !== delivery.from)
    throw new StrategyFailure('policy-refused', 'the address is not the requester’s');
  const who = {
    seenFrom: delivery.seenFrom,
    seenAs: delivery.via.greeting?.seenAs.host,
    sameMachine: onSameMachine(self, requester),
  };
  const allowed = offer.places.map(
    ({ mapped }) => 'near' in dialOnStrangersWord(mapped, vantageOf(self), who),
  );
  if (!allowed.includes(true)) throw new StrategyFailure('policy-refused');
  for (const [place, side] of offer.places.entries()) {
    const own = punchPlaces(self).find(({ family }) => family === familyOf(side.mapped.host));
    if (!allowed[place] || !own || 'impossible' in outlook(side.tcp, own.tcp)) continue;
    const port = scope.use(await punchPorts.take(own, signal));
    const plan = planPunch(side, port.side, Math.random);
    if (!plan) continue;
    if (isSpray(plan.responder)) scope.use(await punchPorts.turns.take(port.localAddress, signal));
    return { place, port, plan };
  }
  throw new StrategyFailure('peer-could-not');
}

/** A side as the message carries it. */
const wire = ({ recentPorts, ...side }: PunchSide) => ({ ...side, recentPorts: [...recentPorts] });

/** A peer, too, may send us only to where it is: what its signed address says, or where the server saw it. */
function checkAnswer(host: string, { seenFrom }: Heard, { self, peer }: Attempt): void {
  const known = vantageOf(peer).externals.includes(host) || host === seenFrom;
  const who = {
    seenFrom: known ? host : undefined,
    seenAs: undefined,
    sameMachine: onSameMachine(self, peer),
  };
  const verdict = dialOnStrangersWord({ host, port: 1 }, vantageOf(self), who);
  if ('refused' in verdict)
    throw new WayleaveError('dial-refused', `${host} will not be dialled: ${verdict.refused}`);
}
