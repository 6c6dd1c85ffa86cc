// Which external ports a NAT will give next, from those it gave just now (RFC 5128 section 3.3.5 describes the
// idea). Pure. The sign is kept, any step is found, other hosts' traffic between two samples only makes gaps.
/** Ports that NATs give out: all but the well-known ones (RFC 4787 section 4.2.2). */
const LOWEST = 1024;
const HIGHEST = 65_535;
const RANGE = HIGHEST - LOWEST + 1;
/** A step larger than this is no step: two of 64,512 random ports are rarely nearer. */
const LARGEST_STEP = 256;
/** Steps that neighbours may have taken between two samples. */
const LARGEST_GAP = 32;

export interface PortSequence {
  /** The signed distance from one mapping to the next. */
  readonly step: number;
  /** How many allocations of others lay between two samples, on average. */
  readonly gapsPerSample: number;
  /** The last port seen. */
  readonly last: number;
}

/**
 * The sequence behind ports sampled one after another, or undefined when they are none.
 * @param ports at least two, in the order of their allocation.
 * @param knownStep what an earlier measurement found, used if the samples agree with it. It then also carries over
 * one leap back: a NAT that has come to the end of a range of its own begins it again.
 */
export function portSequence(ports: readonly number[], knownStep?: number): PortSequence | undefined {
  const last = ports.at(-1);
  if (last === undefined || ports.length < 2) return undefined;
  const distances = ports.slice(1).map((port, i) => shortestWay(ports[i]!, port));
  // two samples that contradict what was measured have overtaken each other more likely than they prove it wrong
  const believed = knownStep === undefined || distances.length > 1;
  const step = agrees(distances, knownStep) ? knownStep : believed ? commonStep(distances) : undefined;
  if (step === undefined) return undefined;
  const along = distances.filter(distance => isMultiple(distance, step));
  const gaps = along.reduce((sum, distance) => sum + distance / step - 1, 0);
  return { step, gapsPerSample: gaps / along.length, last };
}

/** The next `count` ports of a sequence, nearest first, wrapping around at the ends of the range. */
export function nextPorts({ last, step }: PortSequence, count: number): number[] {
  return Array.from({ length: count }, (_, i) => wrapped(last + step * (i + 1)));
}

/** Signed; across the end of the range where that is nearer. */
function shortestWay(from: number, to: number): number {
  const distance = to - from;
  if (distance > RANGE / 2) return distance - RANGE;
  return distance < -RANGE / 2 ? distance + RANGE : distance;
}

/** The largest step of which all distances are small multiples in the same direction. */
function commonStep(distances: readonly number[]): number | undefined {
  const size = distances.reduce((divisor, distance) => greatestCommonDivisor(divisor, Math.abs(distance)), 0);
  const step = Math.sign(distances[0] ?? 0) * size;
  return step !== 0 && size <= LARGEST_STEP && distances.every(distance => isMultiple(distance, step))
    ? step
    : undefined;
}

function agrees(distances: readonly number[], step: number | undefined): step is number {
  if (step === undefined || step === 0) return false;
  const others = distances.filter(distance => !isMultiple(distance, step));
  const [leap] = others;
  if (leap === undefined) return true;
  return distances.length >= 3 && others.length === 1 && Math.sign(leap) === -Math.sign(step);
}

function isMultiple(distance: number, step: number): boolean {
  const steps = distance / step;
  return Number.isInteger(steps) && steps >= 1 && steps <= LARGEST_GAP;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function wrapped(port: number): number {
  return ((((port - LOWEST) % RANGE) + RANGE) % RANGE) + LOWEST;
}
