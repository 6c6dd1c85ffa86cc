// When to renew, when to give up, when to ask again: the timings of a mapping's life, pure. Times are
// monotonic milliseconds.

export interface Lease {
  readonly grantedAtMs: number;
  /** 0: until removed. */
  readonly lifetimeSeconds: number;
}

/** Gateways that grant a second at a time are not chased. */
const MIN_RENEWAL_WAIT_MS = 1000;

export function leaseEndsAtMs({ grantedAtMs, lifetimeSeconds }: Lease): number {
  return lifetimeSeconds === 0 ? Number.POSITIVE_INFINITY : grantedAtMs + lifetimeSeconds * 1000;
}

/**
 * At half of the lease, then at half of what is left after each failure (RFC 6887 section 11.2.1, without its
 * random part: a home gateway has few clients).
 */
export function renewalDueAtMs(lease: Lease, failures: number): number {
  const lifetimeMs = lease.lifetimeSeconds * 1000;
  if (lifetimeMs === 0) return Number.POSITIVE_INFINITY;
  const passedMs = lifetimeMs * (1 - 0.5 ** (failures + 1));
  return lease.grantedAtMs + Math.max(passedMs, MIN_RENEWAL_WAIT_MS * (failures + 1));
}

/**
 * How often the gateway is asked whether it still stands by the mapping: one datagram or two small HTTP
 * requests. Announcements make it sooner, but many hosts' firewalls drop multicast, and a restarted
 * gateway's mappings are to be back within 30 s.
 */
export const CHECK_EVERY_MS = 15_000;

/** A gateway that was silent when asked is probably restarting: it is asked again soon. */
export const RECHECK_AFTER_SILENCE_MS = 4_000;

const AFTER_LOSS_MS = [1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 30_000];
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 30 * 60_000;

/**
 * How long to leave a gateway alone that gave nothing: one that never did, a minute and doubling to half an
 * hour; one that once gave a mapping, seconds at first.
 */
export function retryAfterMs(failures: number, hadMapping: boolean): number {
  const soon = hadMapping ? AFTER_LOSS_MS[failures - 1] : undefined;
  if (soon !== undefined) return soon;
  const later = failures - 1 - (hadMapping ? AFTER_LOSS_MS.length : 0);
  return Math.min(FIRST_RETRY_MS * 2 ** later, LAST_RETRY_MS);
}
