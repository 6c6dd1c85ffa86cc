// TCP hole punching: both sides dial at the same moment, each through its own NAT, and the NATs take the other's SYN
// for an answer (simultaneous open, RFC 5128 section 3.4, RFC 9293 section 3.5).
//
//   initiator                       server                     responder
//      │ (its mapping is known: a spare one, or learned now)        │
//      │  punch-offer: places ────────▶│───────────────────────────▶│ chooses a place, learns its own mapping
//      │◀───────────────────────────── │◀─── punch-answer: its place │
//      │ dials at once                                               │ dials half a signalling round trip later:
//      │ ──────────────── SYN ─────▶ ✕ ◀──────────────── SYN ─────── │ the same moment, without any clock in common
//      │ ◀═══ TLS 1.3, the initiator is the client; hello nominates ═▶│
//
// No `go` follows: the answer itself is the signal, since each side knows its round trip to the server. When nothing
// came up, a second and a third round follow with fresh mappings.

import { dialOnStrangersWord } from '../address/dial-policy.js';
import { NodeAddress } from '../address/node-address.js';
import { abortError, WayleaveError } from '../errors.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import { endsOf } from '../net/sockets.js';
import { secure } from '../pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../pipe/opening.js';
import type { AttemptChannel, Heard } from '../signalling/channel.js';
import type { PeerMessage } from '../signalling/messages.js';
import { onSameMachine, vantageOf } from './candidates.js';
import { assessPunch, punchPlaces } from './punch-places.js';
import { outlook, type Program, type PunchPlan, type PunchSide, planPunch } from './punch-plan.js';
import type { PunchPort } from './punch-port.js';
import { PunchRun } from './punch-run.js';
import { REFUSALS, StrategyFailure } from './reasons.js';
import type { Attempt, Link, PeerRequest, Strategy } from './strategy.js';

const ROUNDS = 3;
/** A connection that came up but stays silent is given up for the next: its other end lost the same race. */
const SILENT_MS = 1500;
/** How long the responder waits for the initiator to begin another round. */
const NEXT_ROUND_MS = 2500;

type Context = Pick<Attempt, 'identity' | 'clock' | 'punchPorts'> & {
  readonly id: string;
  readonly peerId: string;
};

export const punch: Strategy = {
  name: 'punch',
  budgetMs: 10_000,
  headStartMs: 2000, // a round trip of half a second still gets its four; then the relay may begin beside it
  opener: 'punch-offer',
  assess: assessPunch,

  async initiate(attempt, signal) {
    const context: Context = { ...attempt, peerId: attempt.peer.id };
    for (let round = 1; ; round++) {
      try {
        return await initiateRound(round, attempt, context, signal);
      } catch (error) {
        if (signal.aborted || !isOutOfTime(error)) throw error;
        if (round === ROUNDS) throw new StrategyFailure('hole-not-made');
      }
    }
  },

  async respond(received, signal) {
    const request = received as PeerRequest<'punch-offer'>;
    const { channel, clock } = request;
    const context: Context = { ...request, id: request.attempt, peerId: request.delivery.from };
    for (let offer = request.body; ; ) {
      const next = channel.next('punch-offer', { signal }).then(({ body }) => body);
      next.catch(() => {}); // nobody may come to wait for it
      try {
        const link = await respondToRound(offer, request, next, context, signal);
        if (link) return link;
      } catch (error) {
        if (signal.aborted || !isOutOfTime(error)) throw error;
      }
      using patience = clock.deadline(NEXT_ROUND_MS, signal, () => new StrategyFailure('hole-not-made'));
      offer = await withinSignal(next, patience.signal);
    }
  },
};

async function initiateRound(
  round: number,
  attempt: Attempt,
  context: Context,
  signal: AbortSignal,
): Promise<Link> {
  const { self, punchPorts, clock, serverRoundTripMs: roundTripMs } = attempt;
  const channel = attempt.channel();
  await using scope = new Scope();
  const taking = punchPlaces(self).map(async place => scope.use(await punchPorts.take(place, signal)));
  const ports = (await Promise.allSettled(taking)).flatMap(one =>
    one.status === 'fulfilled' ? [one.value] : [],
  );
  if (ports.length === 0) throw new StrategyFailure('not-measured');
  const places = ports.map(({ side }) => wire(side));
  await channel.send(
    { type: 'punch-offer', address: self.toString(), round, places, roundTripMs },
    { signal },
  );
  const heard = await answerOf(channel, round, signal);
  const { place, answer: side } = heard.body;
  const port = ports[place];
  const plan = port && planPunch(port.side, side, Math.random);
  if (!plan) throw new StrategyFailure('hole-not-made', 'the peer’s answer fits no plan');
  checkAnswer(side.mapped.host, heard, attempt);
  using time = clock.deadline(plan.roundMs, signal);
  return await punchOnce(
    plan.initiator,
    port,
    side.mapped.host,
    { round: time.signal, whole: signal },
    context,
    asInitiator,
  );
}

/** Undefined: the initiator has begun another round meanwhile. */
async function respondToRound(
  offer: PeerMessage<'punch-offer'>,
  request: PeerRequest<'punch-offer'>,
  next: Promise<unknown>,
  context: Context,
  signal: AbortSignal,
): Promise<Link | undefined> {
  await using scope = new Scope();
  const { port, plan, peerHost } = await answer(offer, request, scope, signal);
  const over = new AbortController();
  using time = request.clock.deadline(plan.roundMs, [signal, over.signal]);
  void next.then(() => over.abort(SUPERSEDED)).catch(() => {});
  try {
    return await punchOnce(
      plan.responder,
      port,
      peerHost,
      { round: time.signal, whole: signal },
      context,
      asResponder,
    );
  } catch (error) {
    if (over.signal.aborted) return undefined;
    throw error;
  }
}

const SUPERSEDED = new WayleaveError('aborted', 'another round has begun');
const isOutOfTime = (error: unknown) => error instanceof WayleaveError && error.code === 'timeout';

/** Chooses the first offered place that can be reached from here, answers with ours, and waits for the moment. */
async function answer(
  offer: PeerMessage<'punch-offer'>,
  request: PeerRequest<'punch-offer'>,
  scope: Scope,
  signal: AbortSignal,
): Promise<{ port: PunchPort; plan: PunchPlan; peerHost: string }> {
  const { self, delivery, channel, punchPorts, clock } = request;
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
    const startInMs = (offer.roundTripMs + request.serverRoundTripMs) / 2;
    await channel.send(
      { type: 'punch-answer', round: offer.round, place, answer: wire(port.side), startInMs },
      { signal },
    );
    await clock.sleep(startInMs, signal);
    return { port, plan, peerHost: side.mapped.host };
  }
  throw new StrategyFailure('peer-could-not');
}

/** A side as the message carries it. */
const wire = ({ recentPorts, ...side }: PunchSide) => ({ ...side, recentPorts: [...recentPorts] });

/**
 * Runs one side's program until a connection is authenticated by `handshake`. The round's time is for connections to
 * come up; one that did is heard to its end.
 */
async function punchOnce(
  program: Program,
  port: PunchPort,
  peerHost: string,
  { round, whole }: { round: AbortSignal; whole: AbortSignal },
  context: Context,
  handshake: typeof asInitiator,
): Promise<Link> {
  const { clock } = context;
  const { localAddress, port: punchPort } = port;
  await using run = new PunchRun({ program, localAddress, punchPort, peerHost, clock, random: Math.random });
  await run.start(round);
  for (;;) {
    const socket = await run.next(round);
    try {
      return await handshake(socket, context, whole);
    } catch (error) {
      socket.destroy();
      if (whole.aborted) throw error;
    }
  }
}

async function asInitiator(
  socket: Parameters<typeof endsOf>[0],
  context: Context,
  signal: AbortSignal,
): Promise<Link> {
  const ends = endsOf(socket);
  const { identity, id, peerId: expected } = context;
  const secured = await secure(socket, identity, { role: 'client', expected, signal, timeoutMs: SILENT_MS });
  return {
    secured,
    ...ends,
    // the peer has agreed by its answer, so there is nothing to wait for
    nominate: nominating =>
      sendHello(secured, { purpose: 'open', attempt: id }, { signal: nominating, waitForAccept: false }),
  };
}

const asResponder: typeof asInitiator = async (socket, context, signal) => {
  const ends = endsOf(socket);
  const { identity, id, peerId: expected } = context;
  const secured = await secure(socket, identity, { role: 'server', expected, signal, timeoutMs: SILENT_MS });
  const hello = await receiveHello(secured, { signal, timeoutMs: SILENT_MS });
  if (hello.purpose !== 'open' || hello.attempt !== id)
    throw new WayleaveError('protocol-error', 'another attempt');
  return { secured, ...ends, nominate: async () => accept(secured) };
};

/** The answer to this round's offer; a refusal rejects. */
async function answerOf(
  channel: AttemptChannel,
  round: number,
  signal: AbortSignal,
): Promise<Heard<'punch-answer'>> {
  for (;;) {
    const heard = await channel.next(['punch-answer', 'refused'], { signal });
    const { body } = heard;
    if (body.type === 'refused') {
      throw new StrategyFailure(REFUSALS.find(refusal => refusal === body.reason) ?? 'peer-could-not');
    }
    if (body.round === round) return heard as Heard<'punch-answer'>;
  }
}

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

/** The promise, or the signal's abort error if that comes first. */
function withinSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
