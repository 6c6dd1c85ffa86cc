// Keeps one mapping alive on one gateway: renews it, looks whether the gateway still stands by it, and listens
// to what the gateway announces. Ends, with the reason, when what was published is not so any more.
import type { Clock } from '../net/clock.js';
import type { Announcement } from './announcements.js';
import type { Doorbell } from './doorbell.js';
import {
  CHECK_EVERY_MS,
  type Lease,
  leaseEndsAtMs,
  RECHECK_AFTER_SILENCE_MS,
  renewalDueAtMs,
} from './lease.js';
import type { MappingClient, MappingRequest } from './mapping-protocol.js';
import type { PortMapping } from './port-mapping.js';

export interface LeaseKeeping {
  readonly client: MappingClient;
  readonly mapping: PortMapping;
  /** Asks for the same again. */
  readonly request: MappingRequest;
  readonly clock: Clock;
  readonly doorbell: Doorbell<Announcement>;
  readonly onRenewed: (lifetimeSeconds: number) => void;
  readonly onFailed: (error: unknown) => void;
}

/** A gateway that wakes up says so many times over, and needs a moment before it serves. */
export const SETTLE_MS = 1000;

/** Why the mapping was lost; rejects only with the signal's abort error. */
export async function keepLease(keeping: LeaseKeeping, signal: AbortSignal): Promise<string> {
  const { client, mapping, clock, doorbell } = keeping;
  let lease: Lease = { grantedAtMs: clock.now(), lifetimeSeconds: mapping.lifetimeSeconds };
  let checkAtMs = clock.now() + CHECK_EVERY_MS;
  let failures = 0;
  // The gateway announced something, was silent, or could not tell: it may have restarted. Asking for the same
  // mapping again settles it, and changes nothing if all is well.
  let inDoubt = false;
  for (;;) {
    const renewAtMs = renewalDueAtMs(lease, failures);
    const nextMs = Math.min(renewAtMs, checkAtMs, leaseEndsAtMs(lease));
    const heard = await doorbell.wait(clock, Math.max(0, nextMs - clock.now()), signal);
    if (heard) {
      inDoubt = true;
      await clock.sleep(SETTLE_MS, signal);
    }
    if (clock.now() >= leaseEndsAtMs(lease)) return 'the lease ran out without a renewal';
    if (inDoubt || clock.now() >= renewAtMs) {
      const renewed = await renew(keeping, signal);
      if (renewed === 'moved') return 'the gateway gave another endpoint';
      if (renewed) [lease, failures, inDoubt] = [renewed, 0, false];
      else if (clock.now() >= renewAtMs) failures++;
      checkAtMs = clock.now() + (renewed ? CHECK_EVERY_MS : RECHECK_AFTER_SILENCE_MS);
      continue;
    }
    try {
      const health = await client.check(signal);
      if (health === 'lost') return 'the gateway restarted or forgot';
      inDoubt = health === 'unclear';
      checkAtMs = inDoubt ? clock.now() : clock.now() + CHECK_EVERY_MS;
    } catch (error) {
      if (signal.aborted) throw error;
      inDoubt = true;
      checkAtMs = clock.now() + RECHECK_AFTER_SILENCE_MS;
    }
  }
}

async function renew(
  { client, mapping, request, clock, onRenewed, onFailed }: LeaseKeeping,
  signal: AbortSignal,
): Promise<Lease | 'moved' | undefined> {
  const grantedAtMs = clock.now();
  try {
    const { external, lifetimeSeconds } = await client.open(request, signal);
    if (external.host !== mapping.external.host || external.port !== mapping.external.port) return 'moved';
    onRenewed(lifetimeSeconds);
    return { grantedAtMs, lifetimeSeconds };
  } catch (error) {
    if (signal.aborted) throw error;
    onFailed(error);
    return undefined;
  }
}
