// From which of a node's interfaces holes can be punched, and what two addresses alone let one expect. Pure.
import type { InterfaceAddress } from '../address/address-schema.js';
import type { NodeAddress } from '../address/node-address.js';
import type { Family } from '../net/ip-scope.js';
import { onSameMachine } from './candidates.js';
import { nobodyVouches } from './peer-servers.js';
import { foresight, outlook, type PlanName } from './punch-plan.js';
import type { Reason } from './reasons.js';
import type { Assessment } from './strategy.js';

/** One place a family: a second interface of the same family would double the SYNs for little. */
const FAMILIES: readonly Family[] = [6, 4];

/** The interfaces to punch from: of each family the one whose next port is known best, IPv6 first. */
export function punchPlaces({ interfaces }: NodeAddress): InterfaceAddress[] {
  return FAMILIES.flatMap(family => {
    const usable = interfaces.filter(
      entry => entry.family === family && entry.tcp.kind !== 'blocked' && seen(entry),
    );
    return usable.sort((a, b) => rank(a) - rank(b)).slice(0, 1);
  });
}

/** The world has seen it: only then can anybody dial towards it. */
const seen = ({ external }: InterfaceAddress) => external !== null;
const RANK = { known: 0, sequence: 1, random: 2 };
const rank = ({ tcp }: InterfaceAddress) =>
  RANK[foresight(tcp)] + (tcp.kind === 'unknown' ? 0.5 : 0) + (tcp.egress === 'web-only' ? 3 : 0);

/** Where both have a place of one family and a plan for it: IPv6 first. */
export function punchPairs(
  self: NodeAddress,
  peer: NodeAddress,
): { own: InterfaceAddress; other: InterfaceAddress; plan: PlanName }[] {
  const theirs = punchPlaces(peer);
  return punchPlaces(self).flatMap(own => {
    const other = theirs.find(({ family }) => family === own.family);
    const hope = other && outlook(own.tcp, other.tcp);
    return hope && 'plan' in hope ? [{ own, other, plan: hope.plan }] : [];
  });
}

const EXPECTED: Record<PlanName, { reason: Reason; roundTrips: number }> = {
  'simultaneous-open': { reason: 'known-ports', roundTrips: 4 },
  'open-door': { reason: 'open-door', roundTrips: 5 },
  predicted: { reason: 'predictable-ports', roundTrips: 6 },
  'both-predicted': { reason: 'predictable-ports', roundTrips: 8 },
  birthday: { reason: 'random-ports', roundTrips: 7 },
};

/** What the strategy says of two addresses: see `Strategy.assess`. */
export function assessPunch(self: NodeAddress, peer: NodeAddress): Assessment {
  const impossible = (reason: Reason): Assessment => ({ verdict: 'impossible', reason, roundTrips: 0 });
  if (peer.servers.length === 0 && self.servers.length === 0) return impossible('no-signalling');
  if (!peer.capabilities.includes('punch')) return impossible('not-supported');
  if (onSameMachine(self, peer)) return impossible('same-machine');
  if (allBlocked(self) || allBlocked(peer)) return impossible('tcp-blocked');
  if (nobodyVouches(self, peer)) return impossible('nobody-vouches');
  const [ours, theirs] = [punchPlaces(self), punchPlaces(peer)];
  if (ours.length === 0 || theirs.length === 0) return impossible('not-measured');
  const verdicts = ours.flatMap(own => {
    const other = theirs.find(({ family }) => family === own.family);
    return other ? [assessPair(own, other)] : [];
  });
  if (verdicts.length === 0) return impossible('no-common-family');
  const order = { likely: 0, possible: 1, impossible: 2 };
  return verdicts.sort((a, b) => order[a.verdict] - order[b.verdict] || a.roundTrips - b.roundTrips)[0]!;
}

function assessPair(own: InterfaceAddress, other: InterfaceAddress): Assessment {
  const hope = outlook(own.tcp, other.tcp);
  if ('impossible' in hope) return { verdict: 'impossible', reason: hope.impossible, roundTrips: 0 };
  const { reason, roundTrips } = EXPECTED[hope.plan];
  if (own.tcp.kind === 'nat' && own.external?.host === other.external?.host) {
    const back = [hairpins(own.tcp), hairpins(other.tcp)];
    if (!back.includes(true))
      return back.includes(false)
        ? { verdict: 'impossible', reason: 'no-hairpinning', roundTrips: 0 }
        : { verdict: 'possible', reason: 'common-nat', roundTrips };
  }
  const measured = own.tcp.kind !== 'unknown' && other.tcp.kind !== 'unknown';
  return measured
    ? { verdict: 'likely', reason, roundTrips }
    : { verdict: 'possible', reason: 'unknown-nat', roundTrips };
}

/**
 * Whether packets to its own outside come back inside. One that changes ports, or that resets what comes early, may have
 * failed the test for that, and does not prove that the NAT outside it would not turn them round.
 */
function hairpins(tcp: InterfaceAddress['tcp']): boolean | undefined {
  const telling = tcp.unsolicitedSyn === 'drop' && foresight(tcp) === 'known';
  return tcp.hairpinning === false && !telling ? undefined : (tcp.hairpinning ?? undefined);
}

const allBlocked = ({ interfaces }: NodeAddress) =>
  interfaces.length > 0 && interfaces.every(({ tcp }) => tcp.kind === 'blocked');
