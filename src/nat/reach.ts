// What a behaviour is good for: per kind of peer, the strategy that would carry a connection from here.
// A rule of thumb from RFC 5128 for people; the connector decides by both sides' real profiles.
import type { Behaviour } from './profile.js';

export const PEER_KINDS = [
  'open',
  'firewall',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric-sequential',
  'symmetric-random',
  'blocked',
] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

export type Reach = Record<PeerKind, 'direct' | 'reverse' | 'punch' | 'relay' | 'none' | 'unknown'>;

type Peer = Pick<Behaviour, 'kind' | 'mapping' | 'filtering'> & {
  readonly pattern: Behaviour['ports']['pattern'];
};

const OPEN = 'endpoint-independent';
const CLOSED = 'address-and-port-dependent';

const PEERS: Record<PeerKind, Peer> = {
  open: { kind: 'open', mapping: OPEN, filtering: OPEN, pattern: 'preserving' },
  firewall: { kind: 'firewall', mapping: OPEN, filtering: CLOSED, pattern: 'preserving' },
  'full-cone': { kind: 'nat', mapping: OPEN, filtering: OPEN, pattern: 'preserving' },
  'address-restricted': { kind: 'nat', mapping: OPEN, filtering: 'address-dependent', pattern: 'preserving' },
  'port-restricted': { kind: 'nat', mapping: OPEN, filtering: CLOSED, pattern: 'preserving' },
  'symmetric-sequential': { kind: 'nat', mapping: CLOSED, filtering: CLOSED, pattern: 'delta' },
  'symmetric-random': { kind: 'nat', mapping: CLOSED, filtering: CLOSED, pattern: 'random' },
  blocked: { kind: 'blocked', mapping: 'unknown', filtering: 'unknown', pattern: 'unknown' },
};

/** @param tcp of the best interface, the one that connections would go out by. */
export function reachOf(tcp: Behaviour, udp: Behaviour): Reach {
  const self: Peer = { ...tcp, pattern: tcp.ports.pattern };
  const way = (kind: PeerKind) =>
    tcp.egress === 'web-only' ? 'relay' : strategyBetween(self, udp, PEERS[kind]);
  return Object.fromEntries(PEER_KINDS.map(kind => [kind, way(kind)])) as Reach;
}

function strategyBetween(self: Peer, udp: Behaviour, peer: Peer): Reach[PeerKind] {
  if (self.kind === 'unknown' && self.mapping === 'unknown') return 'unknown';
  if (self.kind === 'blocked') return udp.kind === 'blocked' ? 'none' : 'relay';
  if (peer.kind === 'blocked') return 'relay';
  if (peer.filtering === OPEN) return 'direct';
  if (self.filtering === OPEN) return 'reverse';
  // One side whose next port is a guess among thousands needs the other side's to be known (birthday
  // paradox), two have no answer. A sequence can be predicted, but not by somebody who must be guessed.
  const guesses = [self, peer].filter(side => moves(side) && side.pattern === 'random').length;
  const predicted = [self, peer].filter(side => moves(side) && side.pattern === 'delta').length;
  if ([self, peer].some(side => side.mapping === 'unknown' || (moves(side) && side.pattern === 'unknown'))) {
    return 'unknown';
  }
  return guesses + predicted > 1 && guesses > 0 ? 'relay' : 'punch';
}

/** Whether its external port differs from peer to peer. */
function moves({ mapping }: Peer): boolean {
  return mapping === 'address-dependent' || mapping === CLOSED;
}
