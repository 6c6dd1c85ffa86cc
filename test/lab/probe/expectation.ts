// Whether a measured behaviour is what the laboratory's table says: right in every word, wrong in some, or
// only not known.
import type { Behaviour } from '../../../src/nat/profile.js';
import type { ExpectedBehaviour } from '../nat-kinds.js';

export interface Verdict {
  /** Words that contradict the table, as `mapping: address-dependent, not endpoint-independent`. */
  readonly wrong: readonly string[];
  /** Words that should have been found and were not. */
  readonly missing: readonly string[];
}

export function judge(expected: ExpectedBehaviour, measured: Behaviour): Verdict {
  const pairs: [string, unknown, unknown][] = [
    ['kind', expected.kind, measured.kind],
    ['mapping', expected.mapping, measured.mapping],
    ['filtering', expected.filtering, measured.filtering],
    ['ports', portWord(expected.ports), portWord(measured.ports)],
    ['hairpinning', expected.hairpinning, measured.hairpinning],
    // Where everybody is let in there is no SYN that meets the NAT's answer.
    ...(expected.filtering === 'endpoint-independent'
      ? []
      : [['unsolicitedSyn', expected.unsolicitedSyn, measured.unsolicitedSyn] as [string, unknown, unknown]]),
  ];
  const prescribed = pairs.filter(([, wanted, got]) => wanted !== undefined && wanted !== got);
  const unknown = (value: unknown) => value === 'unknown' || value === null || value === undefined;
  return {
    wrong: prescribed
      .filter(([, , got]) => !unknown(got))
      .map(([word, wanted, got]) => `${word}: ${String(got)}, not ${String(wanted)}`),
    missing: prescribed.filter(([, , got]) => unknown(got)).map(([word]) => word),
  };
}

function portWord(ports: Behaviour['ports'] | undefined): string | undefined {
  return ports?.pattern === 'delta' ? `delta ${ports.delta}` : ports?.pattern;
}
