// What the relay lets users do, as one table. Every queue and table of this room is bounded by one of these;
// ../options/embedded.ts gives each its reason.

export interface RelayLimits {
  /** Allocations altogether. Beyond: 508. */
  readonly allocations: number;
  /** Allocations of one user. Beyond: 486. */
  readonly allocationsPerUser: number;
  /** Allocations of one source (IPv4 address or IPv6 /64), whoever its users are. Beyond: 486. */
  readonly allocationsPerSource: number;
  /** Permissions of one allocation; each peer address needs one. Beyond: 508. */
  readonly permissions: number;
  /** Channels of one allocation. Beyond: 508. */
  readonly channels: number;
  /** Relayed connections of one TCP allocation. Beyond: 508, or closed when a peer asks. */
  readonly connectionsPerAllocation: number;
  /** TCP and TLS connections of clients altogether. */
  readonly connections: number;
  /** TCP and TLS connections of one source. */
  readonly connectionsPerSource: number;
  /** A connection that has no allocation after this time is closed, in ms. */
  readonly idleConnectionMs: number;
  /** Longest life that an Allocate or Refresh can ask for, in seconds; at least 600. */
  readonly lifetimeS: number;
  /** Bytes a second of all allocations of one user, both ways together; infinite: no cap. */
  readonly bytesPerSecondPerUser: number;
  /** Bytes a second of everything relayed; infinite: no cap. */
  readonly bytesPerSecond: number;
  /** Unauthenticated datagrams of one source that get an answer: at once, and a second. */
  readonly challenges: { readonly burst: number; readonly perSecond: number };
}

export const DEFAULT_RELAY_LIMITS: RelayLimits = {
  allocations: 2_000,
  allocationsPerUser: 16,
  allocationsPerSource: 128,
  permissions: 128,
  channels: 128,
  connectionsPerAllocation: 16,
  connections: 8_192,
  connectionsPerSource: 256,
  idleConnectionMs: 10_000,
  lifetimeS: 3_600,
  bytesPerSecondPerUser: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  challenges: { burst: 100, perSecond: 50 },
};

/** What a client that does not read may leave unread before datagrams for it are dropped, in bytes. */
export const MAX_UNREAD_BYTES = 1 << 20;
