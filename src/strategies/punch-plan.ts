// Who dials where, for one pair of places: pure, and computed alike on both sides from what they told each other.
// One table (planFor) decides by what can be known of each side's next external port; RFC 5128 section 3.4
// describes TCP hole punching, the rest is measured (docs/punching.md).

import { nextPorts, portSequence } from '../nat/predict.js';
import type { Behaviour } from '../nat/profile.js';
import type { Endpoint } from '../net/endpoint.js';
import type { Reason } from './reasons.js';

/**
 * The most SYNs one side's program may call for. Birthday: what two sides send meets most likely when both send as
 * many, 1 - (1 - 640/64512)^640 = 99.8 %.
 */
const MAX_DIALS = { birthday: 640, window: 128 } as const;

/** The most SYNs one side sends in one attempt, all rounds and retries together, the kernel's repetitions aside. */
export const SYNS_PER_SIDE = 750;

/** One side of a punch, as it describes itself for it. */
export interface PunchSide {
  /** Where the world sees its punch port. */
  readonly mapped: Endpoint;
  readonly tcp: Pick<Behaviour, 'kind' | 'mapping' | 'filtering' | 'ports' | 'unsolicitedSyn' | 'egress'>;
  /** External ports it was given one after another just now; empty where the next one is known anyway. */
  readonly recentPorts: readonly number[];
}

/** One connection attempt: from the punch port, or from a port of its own each. */
export interface Dial {
  readonly from: 'punch-port' | 'fresh-port';
  readonly remote: Endpoint;
}

/** What one side does when the time has come: first dials, in this order, then listens if told to. */
export interface Program {
  /** How long after its moment it begins, milliseconds. */
  readonly delayMs: number;
  readonly dials: readonly Dial[];
  /** Listen on the punch port once the dials are out: what filters by address at most lets the peer in. */
  readonly listens: boolean;
}

/** How long a round may take, milliseconds. */
const ROUND_MS = {
  /** The kernel repeats a lost SYN after 1 s and again after 3 s: both get their chance. */
  patient: 3300,
  /** A prediction ages: the first repetition gets its chance, then fresh samples are better. */
  predicted: 1150,
  /** Hundreds of SYNs are not repeated. */
  spray: 950,
} as const;

export interface PunchPlan {
  readonly roundMs: number;
  /**
   * The responder begins as it answers, not at the common moment: its SYNs come early to the initiator's NAT and are
   * dropped there, but the holes they make let the initiator's SYNs in. Half a round trip saved, no clock needed.
   */
  readonly early: boolean;
  readonly initiator: Program;
  readonly responder: Program;
}

/** What is known beforehand of the port from which a connection to a new destination will come. */
export type Foresight = 'known' | 'sequence' | 'random';

export function foresight({ kind, mapping, ports }: PunchSide['tcp']): Foresight {
  if (kind !== 'nat') return 'known'; // nothing translates, or nothing is known: worth one try
  if (mapping === 'endpoint-independent' || mapping === 'unknown' || ports.pattern === 'preserving')
    return 'known';
  return ports.pattern === 'delta' ? 'sequence' : 'random';
}

/** What a pair can hope for: how it is done, or why it cannot be. */
export function outlook(
  a: PunchSide['tcp'],
  b: PunchSide['tcp'],
): { plan: PlanName } | { impossible: Reason } {
  if (a.kind === 'blocked' || b.kind === 'blocked') return { impossible: 'tcp-blocked' };
  if (a.egress === 'web-only' || b.egress === 'web-only') return { impossible: 'only-web-out' };
  const [one, other] = [foresight(a), foresight(b)];
  if (one === 'known' && other === 'known') return { plan: 'simultaneous-open' };
  const known = one === 'known' ? a : other === 'known' ? b : undefined;
  if (known && lenient(known)) return { plan: 'open-door' };
  if (one !== 'random' && other !== 'random') return { plan: known ? 'predicted' : 'both-predicted' };
  if (known) return { plan: 'birthday' };
  return { impossible: one === other ? 'random-ports-both' : 'random-and-changing-ports' };
}

export type PlanName = 'simultaneous-open' | 'open-door' | 'predicted' | 'both-predicted' | 'birthday';

/** Lets the peer in from any of its ports: at once, or after one packet towards its address. */
function lenient({ filtering }: PunchSide['tcp']): boolean {
  return filtering === 'endpoint-independent' || filtering === 'address-dependent';
}

/** The plan for a pair, or undefined where none has a chance: also when samples turn out to be no sequence. */
export function planPunch(
  initiator: PunchSide,
  responder: PunchSide,
  random: () => number,
): PunchPlan | undefined {
  const verdict = outlook(initiator.tcp, responder.tcp);
  if ('impossible' in verdict) return undefined;
  const early = dropsTheEarly(initiator);
  if (verdict.plan === 'simultaneous-open') {
    return {
      roundMs: ROUND_MS.patient,
      early,
      initiator: { delayMs: 0, dials: [punchTo(responder)], listens: false },
      responder: { delayMs: 0, dials: [punchTo(initiator)], listens: false },
    };
  }
  if (verdict.plan === 'both-predicted') return bothPredicted(initiator, responder);
  const initiatorKnown = foresight(initiator.tcp) === 'known';
  const [known, changing] = initiatorKnown ? [initiator, responder] : [responder, initiator];
  const sprayMs = early ? SPRAY_MS.early : SPRAY_MS.together;
  const programs = knownAndChanging(verdict.plan, known, changing, sprayMs, random);
  const roundMs =
    ROUND_MS[isSpray(programs.known) ? 'spray' : verdict.plan === 'open-door' ? 'patient' : 'predicted'];
  return initiatorKnown
    ? { roundMs, early, initiator: programs.known, responder: programs.changing }
    : { roundMs, early, initiator: programs.changing, responder: programs.known };
}

/** Whether a program is of the kind that takes its turn on an interface. */
export function isSpray({ dials }: Program): boolean {
  return dials.length > MAX_DIALS.window;
}

/** What comes before it was asked for is dropped, neither answered nor remembered nor let through to the host. */
function dropsTheEarly({ tcp }: PunchSide): boolean {
  return tcp.unsolicitedSyn === 'drop' && tcp.filtering !== 'endpoint-independent';
}

const punchTo = ({ mapped }: PunchSide): Dial => ({ from: 'punch-port', remote: mapped });
const at = ({ mapped }: PunchSide, ports: readonly number[], from: Dial['from']): Dial[] =>
  ports.map(port => ({ from, remote: { host: mapped.host, port } }));

/** Connections that the side with changing ports opens: consecutive ports, of which one is enough. */
const CHANGING_DIALS = 8;
/** Allocations of other hosts between the sample and the punch that are allowed for, beyond those observed. */
const NEIGHBOURS = 24;
/**
 * What it takes to send hundreds of SYNs: a NAT that resets what comes early must have seen them all go out. Less where
 * the other side began half a signalling round trip ago.
 */
const SPRAY_MS = { together: 150, early: 60 } as const;

function knownAndChanging(
  plan: PlanName,
  known: PunchSide,
  changing: PunchSide,
  sprayMs: number,
  random: () => number,
): { known: Program; changing: Program } {
  const towardsKnown = (count: number, delayMs = 0): Program => ({
    delayMs,
    dials: Array.from({ length: count }, () => ({ from: 'fresh-port', remote: known.mapped })),
    listens: false,
  });
  if (plan === 'open-door') {
    return { known: { delayMs: 0, dials: [punchTo(changing)], listens: true }, changing: towardsKnown(1) };
  }
  const { ports } = changing.tcp;
  const sequence = plan === 'predicted' ? portSequence(changing.recentPorts, ports.delta) : undefined;
  if (sequence) {
    const observed = Math.ceil(sequence.gapsPerSample * changing.recentPorts.length * 2);
    const window = Math.min(MAX_DIALS.window, CHANGING_DIALS + NEIGHBOURS + observed);
    return {
      known: { delayMs: 0, dials: at(changing, nextPorts(sequence, window), 'punch-port'), listens: false },
      changing: towardsKnown(CHANGING_DIALS),
    };
  }
  const targets = randomPorts(MAX_DIALS.birthday, random);
  return {
    known: { delayMs: 0, dials: at(changing, targets, 'punch-port'), listens: false },
    changing: towardsKnown(MAX_DIALS.birthday, known.tcp.unsolicitedSyn === 'drop' ? 0 : sprayMs),
  };
}

/** How far two sequences may be off together: the sum of both sides' surprises. */
const BOTH_NEIGHBOURS = 16;
const REPEATS = 3;

/**
 * Both sides change ports with every destination. The responder's dial j aims at the initiator's j-th next port.
 * The initiator's dial i aims c beyond its own count, with c going through 0…16 again and again: whatever the two
 * surprises add up to, some dial of each meets the other's.
 */
function bothPredicted(initiator: PunchSide, responder: PunchSide): PunchPlan | undefined {
  const ours = portSequence(initiator.recentPorts, initiator.tcp.ports.delta);
  const theirs = portSequence(responder.recentPorts, responder.tcp.ports.delta);
  if (!ours || !theirs) return undefined;
  const dials = REPEATS * (BOTH_NEIGHBOURS + 1);
  const reach = dials + BOTH_NEIGHBOURS;
  const theirPorts = nextPorts(theirs, reach + 1);
  const targets = Array.from({ length: dials }, (_, i) => theirPorts[i + (i % (BOTH_NEIGHBOURS + 1))]!);
  return {
    roundMs: ROUND_MS.predicted,
    early: dropsTheEarly(initiator),
    initiator: { delayMs: 0, dials: at(responder, targets, 'fresh-port'), listens: false },
    responder: { delayMs: 0, dials: at(initiator, nextPorts(ours, reach), 'fresh-port'), listens: false },
  };
}

/** Distinct ports out of the range that NATs use, in random order. */
function randomPorts(count: number, random: () => number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(1024 + Math.floor(random() * 64_512));
  return [...chosen];
}
