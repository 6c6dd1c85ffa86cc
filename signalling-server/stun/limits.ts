// What the STUN responder lets strangers do, as one table; ../options/embedded.ts gives each its reason.

import type { SourceLimit } from '../source-limiter.js';
import type { ConnectionLimits } from './connections.js';

export interface StunLimits extends ConnectionLimits {
  /** UDP requests of one source. What exceeds it is dropped silently. */
  readonly udp: SourceLimit;
}

export const DEFAULT_STUN_LIMITS: StunLimits = {
  udp: { burst: 200, perSecond: 50 },
  dialBack: { burst: 60, perSecond: 1 },
  connections: 4_096,
  connectionsPerSource: 32,
  firstRequestMs: 10_000,
  idleMs: 3_600_000,
};
