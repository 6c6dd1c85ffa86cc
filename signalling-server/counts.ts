// What the server counts, as plain numbers: counting must cost nothing where 50,000 messages a second pass.
// metrics.ts shows them to Prometheus.

const UNDELIVERED_REASONS = ['not-here', 'too-slow', 'rate-limited', 'unavailable'] as const;
export type UndeliveredReason = (typeof UNDELIVERED_REASONS)[number];

/** Why a connection was ended by the server. */
const CUT_REASONS = [
  'too-many-connections',
  'too-many-waiting',
  'server-full',
  'banned',
  'proxy-unclear',
  'not-registered-in-time',
  'not-admitted',
  'protocol-error',
  'taken-over',
  'too-slow',
  'flooding',
  'silent',
  'draining',
] as const;
export type CutReason = (typeof CUT_REASONS)[number];

export class Counts {
  connections = 0;
  registrations = 0;
  tlsFailures = 0;
  reloads = 0;
  failedReloads = 0;
  delivered = 0;
  deliveredBytes = 0;
  readonly undelivered: Record<UndeliveredReason, number>;
  readonly cut: Record<CutReason, number>;

  constructor() {
    const zeros = <Key extends string>(keys: readonly Key[]) =>
      Object.fromEntries(keys.map(key => [key, 0])) as Record<Key, number>;
    this.undelivered = zeros(UNDELIVERED_REASONS);
    this.cut = zeros(CUT_REASONS);
  }
}
