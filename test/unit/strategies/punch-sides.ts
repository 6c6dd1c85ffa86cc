// Sides of a punch for tests: one for each way a NAT can behave towards TCP.
import type { PunchSide } from '../../../src/strategies/punch-plan.js';

type Tcp = PunchSide['tcp'];

const DROP: Tcp = {
  kind: 'nat',
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { pattern: 'preserving' },
  unsolicitedSyn: 'drop',
};
export const FIREWALL: Tcp = { ...DROP, kind: 'firewall' };
const SYMMETRIC: Tcp = { ...DROP, mapping: 'address-and-port-dependent', ports: { pattern: 'random' } };

export const TCP = {
  open: { ...DROP, kind: 'open', filtering: 'endpoint-independent', unsolicitedSyn: 'unknown' },
  firewall: FIREWALL,
  fullCone: { ...DROP, filtering: 'endpoint-independent' },
  addressRestricted: { ...DROP, filtering: 'address-dependent' },
  drop: DROP,
  reset: { ...DROP, unsolicitedSyn: 'reset' },
  randomPorts: { ...DROP, ports: { pattern: 'random' } },
  sequential: { ...SYMMETRIC, ports: { pattern: 'delta', delta: 1 } },
  symmetricRandom: SYMMETRIC,
  addressDependent: { ...SYMMETRIC, mapping: 'address-dependent', filtering: 'address-dependent' },
  unknown: {
    kind: 'unknown',
    mapping: 'unknown',
    filtering: 'unknown',
    ports: { pattern: 'unknown' },
    unsolicitedSyn: 'unknown',
  },
  blocked: {
    kind: 'blocked',
    mapping: 'unknown',
    filtering: 'unknown',
    ports: { pattern: 'unknown' },
    unsolicitedSyn: 'unknown',
  },
} as const satisfies Record<string, Tcp>;

export type KindName = keyof typeof TCP;
export const KINDS = Object.keys(TCP) as KindName[];

/** A side of that kind; `number` tells its address from another's. */
export function side(kind: KindName, number = 1): PunchSide {
  const sequence = kind === 'sequential' ? [40_000, 40_001, 40_002, 40_003] : [];
  return {
    mapped: { host: `198.51.100.${number}`, port: 30_000 + number },
    tcp: TCP[kind],
    recentPorts: sequence,
  };
}
