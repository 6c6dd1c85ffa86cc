// Connect and ConnectionBind (RFC 6062 sections 5.2 and 5.4).
import { sameEndpoint } from '../../src/net/endpoint.js';
import type { StunMessage } from '../../src/stun/message.js';
import { type Caller, heldBy, type RelayCore, type Reply, type Session } from './core.js';
import { peerOf, refuseHost } from './peers.js';
import type { AwaitedBind } from './tcp-allocation.js';
import { relayKey } from './udp-allocation.js';

export async function connect(core: RelayCore, session: Session, message: StunMessage): Promise<Reply> {
  const held = heldBy(session);
  if (!held) return { refuse: 437 };
  const { allocation } = held;
  const peer = peerOf(message);
  if (allocation.kind !== 'tcp' || !peer) return { refuse: 400 };
  const refusal = refuseHost(core, held, peer.host);
  if (refusal) return refusal;
  let result: Awaited<ReturnType<typeof allocation.connect>> = 447;
  if (core.policy.verdict(peer.host) === 'own') {
    const other = core.tcpAllocations.get(relayKey(peer));
    if (other && other !== allocation && sameEndpoint(other.relayed, peer))
      result = allocation.connectWithin(other);
    else if (!other && core.policy.ownIsOpen(peer.host)) result = await allocation.connect(peer);
  } else result = await allocation.connect(peer);
  return typeof result === 'number' ? { refuse: result } : { ok: [['CONNECTION-ID', result.connectionId]] };
}

/** Whose connection a ConnectionBind asks for: it comes by a fresh way, without an allocation of its own. */
export function ownerOf(core: RelayCore, message: StunMessage): string | undefined {
  return awaitedBy(core, message)?.username;
}

/** Finds the connection. Attach the client's end after the answer has gone out. */
export function connectionBind(
  core: RelayCore,
  session: Session,
  caller: Caller,
  message: StunMessage,
): Extract<Reply, { refuse: number }> | AwaitedBind {
  const connectionId = message.get('CONNECTION-ID');
  const awaited = awaitedBy(core, message);
  const usable = session.held === undefined && session.path.transport !== 'udp';
  if (!usable || connectionId === undefined || !awaited) return { refuse: 400 };
  if (awaited.username !== caller.username) return { refuse: 441 };
  core.awaited.delete(connectionId);
  return awaited;
}

function awaitedBy(core: RelayCore, message: StunMessage): AwaitedBind | undefined {
  const connectionId = message.get('CONNECTION-ID');
  return connectionId === undefined ? undefined : core.awaited.get(connectionId);
}
