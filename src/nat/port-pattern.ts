// How a NAT chooses external ports, from mappings made one after another (RFC 4787 section 4.2 and, for
// sequences, RFC 5128 section 3.4). The sign of the step is kept: some NATs count down.
import type { MappingSample } from './samples.js';

export interface PortPattern {
  readonly pattern: 'preserving' | 'delta' | 'random' | 'unknown';
  readonly delta?: number;
  readonly confidence: number;
}

const UNKNOWN: PortPattern = { pattern: 'unknown', confidence: 0 };

// Steps beyond this are no sequence that could be predicted. Three random steps within it: 1 in 250,000.
const MAX_STEP = 512;
/** Fewer steps than this show nothing. */
const MIN_STEPS = 3;

/** @param mapping in the order in which the mappings were made. */
export function portPattern(mapping: readonly MappingSample[]): PortPattern {
  const firsts = firstOfEachPort(mapping);
  if (firsts.length < 2) return UNKNOWN;
  const preserved = firsts.filter(({ local, mapped }) => local.port === mapped.port).length;
  // One port may be taken by a neighbour; the rest still shows the rule.
  if (preserved === firsts.length || (firsts.length >= 4 && preserved >= firsts.length - 1)) {
    return { pattern: 'preserving', confidence: (1 - 2 ** -firsts.length) * (preserved / firsts.length) };
  }

  const ports = newMappings(mapping).map(({ mapped }) => mapped.port);
  const steps = ports.slice(1).map((port, i) => signedStep(ports[i]!, port));
  if (steps.length < MIN_STEPS) return UNKNOWN;
  const up = steps.filter(step => step > 0 && step <= MAX_STEP);
  const down = steps.filter(step => step < 0 && step >= -MAX_STEP);
  const along = up.length >= down.length ? up : down;
  // A sequence wraps around once in a while: one step may be out of line where there are enough others.
  const allowed = steps.length >= 4 ? 1 : 0;
  if (along.length >= steps.length - allowed) {
    // Other hosts' mappings fall in between and make some steps a multiple of the true one.
    const delta = along.reduce((a, b) => divisor(a, Math.abs(b)), 0) * Math.sign(along[0]!);
    return { pattern: 'delta', delta, confidence: 1 - 2 ** -along.length };
  }
  if (along.length <= steps.length / 2) return { pattern: 'random', confidence: 1 - 2 ** -steps.length };
  return UNKNOWN;
}

function firstOfEachPort(mapping: readonly MappingSample[]): MappingSample[] {
  const seen = new Set<number>();
  return mapping.filter(({ local }) => !seen.has(local.port) && seen.add(local.port));
}

/** Samples that show a mapping not seen before: the others cost the NAT no new port. */
function newMappings(mapping: readonly MappingSample[]): MappingSample[] {
  const seen = new Set<string>();
  return mapping.filter(({ local, mapped }) => {
    const key = `${local.port} ${mapped.host} ${mapped.port}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** From one port to the next by the shorter way round, so that 65,535 to 1,024 is not a leap back. */
function signedStep(from: number, to: number): number {
  const step = (to - from + 65_536) % 65_536;
  return step > 32_768 ? step - 65_536 : step;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
