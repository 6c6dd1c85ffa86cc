// CreatePermission, ChannelBind and Send (RFC 8656 sections 10.2, 12.2 and 11.2): whom a client may reach,
// and what it sends without a channel.
import { type Endpoint, toEndpoint } from '../../src/net/endpoint.js';
import { familyOf } from '../../src/net/ip-scope.js';
import { isChannelNumber } from '../../src/stun/framing.js';
import type { StunMessage } from '../../src/stun/message.js';
import { type Held, heldBy, type RelayCore, type Reply, type Session } from './core.js';

type Refusal = Extract<Reply, { refuse: number }>;

export function createPermission(core: RelayCore, session: Session, message: StunMessage): Reply {
  const held = heldBy(session);
  if (!held) return { refuse: 437 };
  const peers = message.getAll('XOR-PEER-ADDRESS');
  if (peers.length === 0) return { refuse: 400 };
  const hosts = new Set<string>();
  for (const { host } of peers) {
    const refusal = refuseHost(core, held, host);
    if (refusal) return refusal;
    hosts.add(host);
  }
  return held.allocation.peers.permit(hosts, core.clock.now()) ? { ok: [] } : { refuse: 508 };
}

export function channelBind(core: RelayCore, session: Session, message: StunMessage): Reply {
  const held = heldBy(session);
  if (!held) return { refuse: 437 };
  if (held.allocation.kind === 'tcp') return { refuse: 403 }; // RFC 6062 section 5: connections have no channels
  const number = message.get('CHANNEL-NUMBER');
  const peer = peerOf(message);
  // RFC 8656 ends the channels at 0x4FFF; clients of RFC 5766 that draw higher numbers are told so.
  if (number === undefined || !isChannelNumber(number) || !peer) return { refuse: 400 };
  const refusal = refuseHost(core, held, peer.host);
  if (refusal) return refusal;
  const own = core.policy.verdict(peer.host) === 'own';
  const bound = held.allocation.peers.bind(number, peer, own, core.clock.now());
  if (bound === 'bound') return { ok: [] };
  return { refuse: bound === 'full' ? 508 : 400 };
}

/** An indication: what is wrong with it is passed over in silence. */
export function send(core: RelayCore, session: Session, message: StunMessage): void {
  const held = heldBy(session);
  const peer = peerOf(message);
  const data = message.get('DATA');
  if (held?.allocation.kind !== 'udp' || !peer || !data || familyOf(peer.host) !== held.family) {
    core.counters.dropped++;
    return;
  }
  held.allocation.fromClientSend(peer, core.policy.verdict(peer.host) === 'own', data);
}

/** XOR-PEER-ADDRESS as an endpoint; undefined where it is missing or its port is 0. @throws DecodeError */
export function peerOf(message: StunMessage): Endpoint | undefined {
  const peer = message.get('XOR-PEER-ADDRESS');
  return peer && toEndpoint(peer.host, peer.port);
}

export function refuseHost(core: RelayCore, held: Held, host: string): Refusal | undefined {
  if (familyOf(host) !== held.family) return { refuse: 443 };
  if (core.policy.verdict(host) === 'refused') return { refuse: 403, reason: 'Peer Address not Allowed' };
  return undefined;
}
