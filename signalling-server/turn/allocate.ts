// Allocate and Refresh (RFC 8656 sections 7.2 and 8.2, RFC 6062 section 5.1). Left out: dual allocations,
// which get their second family refused with ADDRESS-ERROR-CODE, and mobility.
import type { Family } from '../../src/net/ip-scope.js';
import type { Attribute } from '../../src/stun/attributes.js';
import { stunError } from '../../src/stun/error-codes.js';
import type { StunMessage } from '../../src/stun/message.js';
import {
  type Caller,
  endAllocation,
  type Held,
  heldBy,
  type RelayCore,
  type RelayHost,
  type Reply,
  type Session,
} from './core.js';
import { TcpAllocation } from './tcp-allocation.js';
import { UdpAllocation } from './udp-allocation.js';

const UDP = 17;
const TCP = 6;
const DEFAULT_LIFETIME_S = 600;
const FAMILIES = new Map<number, Family>([
  [1, 4],
  [2, 6],
]);

interface Wish {
  readonly transport: 'udp' | 'tcp';
  readonly family: Family;
  readonly host: RelayHost;
  readonly even: 'any' | 'even' | 'pair';
  readonly token: Buffer | undefined;
  readonly lifetimeS: number;
}

export async function allocate(
  core: RelayCore,
  session: Session,
  caller: Caller,
  message: StunMessage,
): Promise<Reply | undefined> {
  if (session.held === 'pending') return undefined; // its first copy is being served
  if (session.held) {
    return session.held.transactionKey === message.transactionKey
      ? { ok: session.held.answer }
      : { refuse: 437 };
  }
  const wish = readWish(core, session, message);
  if ('refuse' in wish) return wish;
  const place = core.quotas.acquire(caller.id, session.path.remote.host);
  if (typeof place === 'number') return { refuse: place };
  session.held = 'pending';
  const made = await makeAllocation(core, session, caller, wish, place.caps).catch(() => undefined);
  // Meanwhile the client's connection may have closed: then nobody owns what was made.
  if (!made || session.held !== 'pending') {
    if (session.held === 'pending') session.held = undefined;
    session.onEnded();
    made?.allocation.close();
    place.release();
    return { refuse: 508 };
  }
  const { allocation, token } = made;
  const answer: Attribute[] = [
    ['XOR-RELAYED-ADDRESS', allocation.relayed],
    ['LIFETIME', wish.lifetimeS],
    ['XOR-MAPPED-ADDRESS', session.path.remote],
  ];
  if (token) answer.push(['RESERVATION-TOKEN', token]);
  if (message.has('ADDITIONAL-ADDRESS-FAMILY')) {
    answer.push(['ADDRESS-ERROR-CODE', { family: 2, ...stunError(440) }]);
  }
  const held: Held = {
    allocation,
    family: wish.family,
    username: caller.username,
    transactionKey: message.transactionKey,
    answer,
    expiresMs: core.clock.now() + wish.lifetimeS * 1_000,
    release: place.release,
  };
  session.held = held;
  core.sessions.add(session);
  core.counters.allocations++;
  core.counters.allocationsNow++;
  return { ok: answer };
}

export function refresh(core: RelayCore, session: Session, message: StunMessage): Reply {
  const held = heldBy(session);
  if (!held) return { refuse: 437 };
  const family = message.get('REQUESTED-ADDRESS-FAMILY');
  if (family !== undefined && FAMILIES.get(family) !== held.family) return { refuse: 443 };
  const asked = message.get('LIFETIME');
  if (asked === 0) {
    endAllocation(core, session);
    return { ok: [['LIFETIME', 0]] };
  }
  const lifetimeS = grantedLifetime(core, asked);
  held.expiresMs = core.clock.now() + lifetimeS * 1_000;
  return { ok: [['LIFETIME', lifetimeS]] };
}

function readWish(
  core: RelayCore,
  session: Session,
  message: StunMessage,
): Wish | Extract<Reply, { refuse: number }> {
  const protocol = message.get('REQUESTED-TRANSPORT');
  if (protocol === undefined) return { refuse: 400 };
  if (protocol !== UDP && protocol !== TCP) return { refuse: 442 };
  const token = message.get('RESERVATION-TOKEN');
  const pair = message.get('EVEN-PORT');
  const asked = message.get('REQUESTED-ADDRESS-FAMILY');
  const additional = message.get('ADDITIONAL-ADDRESS-FAMILY');
  if (token && (pair !== undefined || asked !== undefined || additional !== undefined))
    return { refuse: 400 };
  if (additional !== undefined && (asked !== undefined || additional !== 2 || pair === true))
    return { refuse: 400 };
  if (protocol === TCP && (session.path.transport === 'udp' || token || pair !== undefined))
    return { refuse: 400 };
  const family = asked === undefined ? 4 : FAMILIES.get(asked);
  // Nothing asked means IPv4, but a relay that has only IPv6 serves better than it refuses.
  const host = family && (core.hosts.get(family) ?? (asked === undefined ? core.hosts.get(6) : undefined));
  if (!family || !host) return { refuse: 440 };
  return {
    transport: protocol === TCP ? 'tcp' : 'udp',
    family: host === core.hosts.get(4) ? 4 : 6,
    host,
    even: pair === undefined ? 'any' : pair ? 'pair' : 'even',
    token,
    lifetimeS: grantedLifetime(core, message.get('LIFETIME')),
  };
}

// Shorter than the default is never granted, longer up to our limit (RFC 8656 section 7.2).
function grantedLifetime(core: RelayCore, asked: number | undefined): number {
  return Math.min(Math.max(asked ?? DEFAULT_LIFETIME_S, DEFAULT_LIFETIME_S), core.limits.lifetimeS);
}

async function makeAllocation(
  core: RelayCore,
  session: Session,
  { username }: Caller,
  wish: Wish,
  caps: UdpParts['caps'],
): Promise<{ allocation: UdpAllocation | TcpAllocation; token?: Buffer } | undefined> {
  const { path } = session;
  const { bound, announced } = wish.host;
  const { limits, counters, clock } = core;
  if (wish.transport === 'tcp') {
    const listener = await core.ports.tcp(bound);
    if (!listener) return undefined;
    const relayed = { host: announced, port: listener.port };
    const { awaited } = core;
    const parts = {
      username,
      path,
      relayed,
      listener,
      boundHost: bound,
      caps,
      limits,
      counters,
      awaited,
      clock,
    };
    const allocation = new TcpAllocation({ ...parts, neighbours: core.tcpAllocations });
    return { allocation };
  }
  const drawn = await drawUdp(core, wish);
  if (!drawn) return undefined;
  const relayed = { host: announced, port: drawn.socket.address().port };
  const ownIsOpen = core.policy.ownIsOpen(announced);
  const neighbours = core.udpAllocations;
  const parts: UdpParts = {
    path,
    relayed,
    socket: drawn.socket,
    caps,
    limits,
    counters,
    neighbours,
    ownIsOpen,
    now: () => clock.now(),
  };
  return { allocation: new UdpAllocation(parts), ...(drawn.token && { token: drawn.token }) };
}

type UdpParts = ConstructorParameters<typeof UdpAllocation>[0];

async function drawUdp(
  core: RelayCore,
  { token, even, host }: Wish,
): Promise<{ socket: UdpParts['socket']; token?: Buffer } | undefined> {
  if (token) return core.ports.redeem(token);
  if (even === 'pair') return core.ports.udpPair(host.bound, core.clock.now());
  const socket = await core.ports.udp(host.bound, even === 'even');
  return socket && { socket };
}
