// What the relay lets users do, as one table. Every queue and table of this room is bounded by one of these.

export interface RelayLimits {
  /** Allocations altogether. Default: 2,000. Beyond: 508. */
  readonly allocations: number;
  /** Allocations of one user. Default: 16. Beyond: 486. */
  readonly allocationsPerUser: number;
  /** Allocations of one source (IPv4 address or IPv6 /64), whoever its users are. Default: 128. Beyond: 486. */
  readonly allocationsPerSource: number;
  /** Permissions of one allocation; each peer address needs one. Default: 128. Beyond: 508. */
  readonly permissions: number;
  /** Channels of one allocation. Default: 128. Beyond: 508. */
  readonly channels: number;
  /** Relayed connections of one TCP allocation. Default: 16. Beyond: 508, or closed when a peer asks. */
  readonly connectionsPerAllocation: number;
  /** TCP and TLS connections of clients altogether. Default: 8,192. */
  readonly connections: number;
  /** TCP and TLS connections of one source. Default: 256. */
  readonly connectionsPerSource: number;
  /** A connection that has no allocation after this time is closed, in ms. Default: 10,000. */
  readonly idleConnectionMs: number;
  /** Longest life that an Allocate or Refresh can ask for, in seconds; at least 600. Default: 3,600. */
  readonly lifetimeS: number;
  /** Bytes a second of all allocations of one user, both ways together. Default: unlimited. */
  readonly bytesPerSecondPerUser: number;
  /** Bytes a second of everything relayed. Default: unlimited; set it where traffic is paid for. */
  readonly bytesPerSecond: number;
  /** Unauthenticated datagrams of one source that get an answer: at once, and a second. Default: 100 and 50. */
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
