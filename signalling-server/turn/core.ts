// What every request to the relay is judged and served with, and what is known of who asks.
import type { Clock } from '../../src/net/clock.js';
import type { Family } from '../../src/net/ip-scope.js';
import type { Attribute } from '../../src/stun/attributes.js';
import type { StunErrorNumber } from '../../src/stun/error-codes.js';
import type { ClientPath } from './client-path.js';
import type { RelayCounters } from './counters.js';
import type { RelayLimits } from './limits.js';
import type { Nonces } from './nonces.js';
import type { PeerPolicy } from './peer-policy.js';
import type { Quotas } from './quotas.js';
import type { RelayPorts } from './relay-ports.js';
import type { AwaitedBind, TcpAllocation, TcpAllocations } from './tcp-allocation.js';
import type { UdpAllocation, UdpAllocations } from './udp-allocation.js';

/** An address to relay from. */
export interface RelayHost {
  /** What relayed sockets are bound to. */
  readonly bound: string;
  /** What clients are told; differs behind a 1:1 NAT. */
  readonly announced: string;
}

export interface RelayCore {
  readonly realm: string;
  readonly secret: string;
  readonly hosts: ReadonlyMap<Family, RelayHost>;
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  readonly policy: PeerPolicy;
  readonly quotas: Quotas;
  readonly nonces: Nonces;
  readonly ports: RelayPorts;
  readonly clock: Clock;
  readonly udpAllocations: UdpAllocations;
  readonly tcpAllocations: TcpAllocations;
  readonly awaited: Map<number, AwaitedBind>;
  /** Everything held, for the sweep. */
  readonly sessions: Set<Session>;
}

/** An allocation and whose it is. */
export interface Held {
  readonly allocation: UdpAllocation | TcpAllocation;
  readonly family: Family;
  readonly username: string;
  /** The Allocate's transaction id: its repetition gets the same answer. */
  readonly transactionKey: string;
  readonly answer: readonly Attribute[];
  expiresMs: number;
  release(): void;
}

/** One client 5-tuple. */
export interface Session {
  readonly path: ClientPath;
  /** `pending` while an Allocate is being served. */
  held: Held | 'pending' | undefined;
  /** Said when the allocation ends, by whatever hand. */
  onEnded(): void;
}

/** Who sent a request, proved. */
export interface Caller {
  readonly username: string;
  readonly id: string;
}

/** How a request is answered. */
export type Reply =
  | { readonly ok: readonly Attribute[] }
  | {
      readonly refuse: StunErrorNumber;
      readonly attributes?: readonly Attribute[];
      readonly reason?: string;
    };

export function heldBy(session: Session): Held | undefined {
  return session.held === 'pending' ? undefined : session.held;
}

/** Ends an allocation and everything that hangs on it. */
export function endAllocation(core: RelayCore, session: Session): void {
  const held = heldBy(session);
  if (!held) return;
  session.held = undefined;
  core.sessions.delete(session);
  core.counters.allocationsNow--;
  held.allocation.close();
  held.release();
  session.onEnded();
}
