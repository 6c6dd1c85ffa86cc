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
// No `go` follows: the answer itself is the signal, since each side knows its round trip to the server. While nothing
// has come up, further rounds follow with fresh mappings (punch-rounds.ts).

import { dialOnStrangersWord } from '../address/dial-policy.js';
import { NodeAddress } from '../address/node-address.js';
import { abortError, WayleaveError } from '../errors.js';
import type { Clock, Deadline } from '../net/clock.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import type { Heard } from '../signalling/channel.js';
import type { PeerMessage } from '../signalling/messages.js';
import { onSameMachine, vantageOf } from './candidates.js';
import { meet } from './punch-meeting.js';
import { offerUntilAnswered } from './punch-offer.js';
import { assessPunch, punchPairs, punchPlaces } from './punch-places.js';
import { isSpray, outlook, type PunchPlan, type PunchSide, planPunch, SYNS_PER_SIDE } from './punch-plan.js';
import type { PunchPort } from './punch-port.js';
import { initiateRounds, respondToRounds } from './punch-rounds.js';
import type { SynAllowance } from './punch-run.js';
import { StrategyFailure } from './reasons.js';
import { SideTasks } from './side-tasks.js';
import type { Attempt, Link, PeerRequest, Strategy } from './strategy.js';

/** A lost SYN is not waited for there. */
const COMMON_NAT_MS = 900;

export const punch: Strategy = {
  name: 'punch',
  budgetMs: 10_000,
  headStartMs: 2000, // a round trip of half a second still gets its four; then the relay may begin beside it
  opener: 'punch-offer',
  assess: assessPunch,

  initiate(attempt, signal) {
    const { self, peer, clock } = attempt;
    const allowance = { left: SYNS_PER_SIDE };
    return initiateRounds({
      overlap: punchPairs(self, peer).every(
        ({ plan }) => plan === 'simultaneous-open' || plan === 'open-door',
      ),
      roundTripMs: within => attempt.serverRoundTripMs(within),
      isSpent: () => allowance.left < SYNS_PER_SIDE / 2, // hundreds went out and met nobody
      play: (round, within) => initiateRound(round, allowance, attempt, within),
      clock,
      signal,
    });
  },

  respond(received, signal) {
    const request = received as PeerRequest<'punch-offer'>;
    const { channel, clock, body } = request;
    const allowance = { left: SYNS_PER_SIDE };
    return respondToRounds({
      first: body,
      next: async ({ round }, within) => {
        const where = (heard: Heard<'punch-offer'>) => heard.body.round > round;
        return (await channel.next('punch-offer', { signal: within, where })).body;
      },
      play: (offer, within) => respondToRound(offer, allowance, request, within),
      clock,
      signal,
    });
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
  const roundTripMs = Math.round(await attempt.serverRoundTripMs(signal)); // an offer should fit into one segment
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

async function respondToRound(
  offer: PeerMessage<'punch-offer'>,
  allowance: SynAllowance,
  request: PeerRequest<'punch-offer'>,
  signal: AbortSignal,
): Promise<Link> {
  const { attempt: id, identity, clock, channel, delivery } = request;
  await using scope = new Scope();
  const { place, port, plan } = await choose(offer, request, scope, signal);
  const { round } = offer;
  const halfWayMs = (offer.roundTripMs + request.serverRoundTripMs) / 2;
  const startInMs = plan.early ? 0 : halfWayMs;
  // A few dials stay out to the end: the initiator's answer may have been held up by loss. Hundreds do not.
  const patient = !isSpray(plan.initiator) && !isSpray(plan.responder);
  using over = clock.deadline(patient ? PATIENT_MS : plan.roundMs + halfWayMs, signal);
  using tasks = new SideTasks(clock, signal);
  const within = { signal: tasks.signal };
  // its acknowledgement comes a round trip later, and what counts is when it left
  const answer = { type: 'punch-answer', round, place, answer: wire(port.side), startInMs } as const;
  tasks.run(channel.send(answer, within));
  const asked = (heard: Heard<'punch-offer'>) => heard.body.round === round;
  const again = async () => {
    for (;;) {
      await channel.next('punch-offer', { ...within, where: asked });
      await channel.send(answer, within);
    }
  };
  again().catch(() => {}); // it ends with the round
  await clock.sleep(startInMs, tasks.signal);
  return await meet({
    role: 'responder',
    id,
    identity,
    clock,
    peerId: delivery.from,
    port,
    program: plan.responder,
    allowance,
    peerHost: offer.places[place]!.mapped.host,
    round: over.signal,
    whole: tasks.signal,
  });
}

/** More than the strategy's budget. */
const PATIENT_MS = 60_000;

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
  if (!allowed.includes(true)) {
    throw new StrategyFailure(who.seenFrom === undefined ? 'nobody-vouches' : 'policy-refused');
  }
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
