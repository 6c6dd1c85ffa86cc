// The endpoints at which one node may dial another, from their two addresses alone, best first (the order of
// RFC 8305 section 4 with RFC 6724's preference for the near): same machine, same network, then the world,
// IPv6 and IPv4 in turn, and mappings that nobody has proved at the end. Pure.
import type { InterfaceAddress } from '../address/address-schema.js';
import { dialOnUsersWord, type Vantage } from '../address/dial-policy.js';
import type { NodeAddress } from '../address/node-address.js';
import { isWebPort } from '../nat/profile.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import { type Family, inSamePrefix, ipScope } from '../net/ip-scope.js';
import type { Reason } from './reasons.js';

export interface Candidate {
  readonly endpoint: Endpoint;
  readonly near: 'same-machine' | 'same-network' | 'world';
  readonly family: Family;
  /** Somebody reached it from outside, or nothing is known to stand in between. */
  readonly proved: boolean;
}

/** Most endpoints dialled or asked for in one attempt. */
export const MAX_CANDIDATES = 8;

/** What an address tells about its owner's place. */
export function vantageOf({ interfaces }: NodeAddress): Vantage {
  const local = interfaces.map(({ address, family, prefix }) => {
    return { name: '', address, family, prefix, scope: ipScope(address) };
  });
  const own = local.filter(({ scope }) => scope === 'global').map(({ address }) => address);
  const seen = interfaces.flatMap(({ external }) => (external ? [external.host] : []));
  return { local, externals: [...new Set([...own, ...seen])] };
}

/** Whether both nodes run on this machine; only this machine can tell. */
export function onSameMachine(a: NodeAddress, b: NodeAddress): boolean {
  return a.onThisMachine && b.onThisMachine;
}

/** Where `from` may and can dial `to`, best first, at most 8. */
export function candidates(from: NodeAddress, to: NodeAddress): Candidate[] {
  const within = everyCandidate(from, to).filter(
    ({ endpoint, near, family }) =>
      near !== 'world' || isWebPort(endpoint.port) || !onlyWebGetsOut(from, family),
  );
  return order(within).slice(0, MAX_CANDIDATES);
}

function onlyWebGetsOut({ interfaces }: NodeAddress, family: Family): boolean {
  const ways = interfaces.filter(entry => entry.family === family);
  return ways.length > 0 && ways.every(({ tcp }) => tcp.egress === 'web-only');
}

function everyCandidate(from: NodeAddress, to: NodeAddress): Candidate[] {
  const vantage = vantageOf(from);
  const peer = { sameMachine: onSameMachine(from, to), externals: vantageOf(to).externals };
  const families = new Set(from.interfaces.map(({ family }) => family));
  const found = new Map<string, Candidate>();
  for (const entry of to.interfaces) {
    if (entry.port === null) continue;
    const own: Endpoint = { host: entry.address, port: entry.port };
    const mapped = entry.external?.port ? [{ host: entry.external.host, port: entry.external.port }] : [];
    for (const endpoint of [own, ...mapped]) {
      const verdict = dialOnUsersWord(endpoint, vantage, peer);
      if ('refused' in verdict || (verdict.near !== 'same-machine' && !families.has(entry.family))) continue;
      if (verdict.near === 'world' && endpoint === own && isClosedToTheWorld(entry)) continue;
      const proved = endpoint === own ? !isGuess(own, verdict.near, vantage) : entry.mapping?.proved === true;
      const key = formatEndpoint(endpoint);
      if (found.has(key)) continue;
      found.set(key, { endpoint, near: verdict.near, family: entry.family, proved });
    }
  }
  return [...found.values()];
}

/** Seen from outside, both come from one address: one network, or two behind one NAT with like addresses inside. */
function isGuess({ host }: Endpoint, near: Candidate['near'], { local }: Vantage): boolean {
  return near === 'same-network' && !local.some(({ address, prefix }) => inSamePrefix(host, address, prefix));
}

/** Something is known to stand before this interface that lets nobody in unasked. */
function isClosedToTheWorld({ tcp }: InterfaceAddress): boolean {
  if (tcp.kind === 'blocked') return true;
  return (tcp.kind === 'firewall' || tcp.kind === 'nat') && tcp.filtering !== 'endpoint-independent';
}

const RANK = { 'same-machine': 0, 'same-network': 1, world: 2 };

function order(list: Candidate[]): Candidate[] {
  const rank = ({ near, proved }: Candidate) => RANK[near] + (proved || near !== 'world' ? 0 : 3);
  const groups = new Map<number, Candidate[]>();
  for (const candidate of list) {
    const key = rank(candidate);
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  return [...groups].sort(([a], [b]) => a - b).flatMap(([, group]) => interleave(group));
}

/** IPv6 first, then the families in turn. */
function interleave(group: Candidate[]): Candidate[] {
  const six = group.filter(({ family }) => family === 6);
  const four = group.filter(({ family }) => family === 4);
  return Array.from({ length: Math.max(six.length, four.length) }, (_, i) => [six[i], four[i]])
    .flat()
    .filter(candidate => candidate !== undefined);
}

/** Why there is no candidate: the most telling of the reasons, about `to` as seen by `from`. */
export function whyNoCandidate(from: NodeAddress, to: NodeAddress): Reason {
  const listening = to.interfaces.filter(({ port }) => port !== null);
  if (listening.length === 0) return 'not-listening';
  const families = new Set(from.interfaces.map(({ family }) => family));
  const common = listening.filter(({ family }) => families.has(family));
  if (common.length === 0) return 'no-common-family';
  if (everyCandidate(from, to).length > 0) return 'only-web-out';
  return common.some(({ address }) => ipScope(address) === 'global') ? 'behind-firewall' : 'behind-nat';
}
