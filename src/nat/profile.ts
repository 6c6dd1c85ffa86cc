// What stands in front of an interface, in the words of RFC 4787 (behaviour) and RFC 5780 (how it is found).
// The types of measurement's result, and their zod schemas: addresses carry them, strategies decide by them.
import { z } from 'zod';

export const DEPENDENCE = [
  'unknown',
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
] as const;
export const REACH_KINDS = ['unknown', 'open', 'firewall', 'nat', 'blocked'] as const;
export const PORT_PATTERNS = ['unknown', 'preserving', 'delta', 'random'] as const;
export const SYN_ANSWERS = ['unknown', 'drop', 'reset'] as const;
export const EGRESS = ['everything', 'web-only'] as const;

/** The behaviour of what stands in front of one interface, for one transport. `unknown` is never a guess. */
export const behaviourSchema = z.strictObject({
  kind: z.enum(REACH_KINDS),
  /** RFC 4787 section 4.1. */
  mapping: z.enum(DEPENDENCE),
  /** RFC 4787 section 5. */
  filtering: z.enum(DEPENDENCE),
  ports: z.strictObject({
    pattern: z.enum(PORT_PATTERNS),
    /** For `delta`: the signed step between successive external ports. */
    delta: z.int().min(-32768).max(32767).optional(),
  }),
  /** RFC 4787 section 6; null: not known. */
  hairpinning: z.boolean().nullable(),
  /** What a SYN that nobody asked for meets; TCP only. */
  unsolicitedSyn: z.enum(SYN_ANSWERS),
  /** Where TCP gets out to: to every port, or to the web's alone (80 and 443). Absent: not known. */
  egress: z.enum(EGRESS).optional(),
  /** How many samples agree behind this. */
  samples: z.int().min(0).max(65535),
  confidence: z.number().min(0).max(1),
});
export type Behaviour = z.infer<typeof behaviourSchema>;
export type Dependence = (typeof DEPENDENCE)[number];

/** What the strictest networks still let out: TCP to these ports. */
export const isWebPort = (port: number): boolean => port === 80 || port === 443;

/** Nothing measured. */
export const UNKNOWN_BEHAVIOUR: Readonly<Behaviour> = {
  kind: 'unknown',
  mapping: 'unknown',
  filtering: 'unknown',
  ports: { pattern: 'unknown' },
  hairpinning: null,
  unsolicitedSyn: 'unknown',
  samples: 0,
  confidence: 0,
};
