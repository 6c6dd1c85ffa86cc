// The table of NAT kinds in Markdown, for docs/laboratory.md: generated, so that it cannot say anything else
// than the rows from which the laboratory builds. A test compares the two.
import type { ExpectedBehaviour, NatKind } from '../nat-kinds.js';

export function kindsTable(kinds: Readonly<Record<string, NatKind>>): string {
  const rows = Object.entries(kinds).map(([name, kind]) => {
    const profiles = ([4, 6] as const).flatMap(family => {
      const profile = kind.profile[family];
      return profile ? [`IPv${family} ${profileText(profile.tcp)}`] : [];
    });
    return `| \`${name}\` | ${kind.rfc4787} | ${profiles.join('; ')} | ${kind.makers} |`;
  });
  return [
    '| kind | in RFC 4787’s words | a TCP probe must find | who makes such |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function profileText({
  kind,
  mapping,
  filtering,
  ports,
  hairpinning,
  unsolicitedSyn,
}: ExpectedBehaviour): string {
  if (kind !== 'nat') return unsolicitedSyn ? `${kind}, SYN: ${unsolicitedSyn}` : kind;
  const pattern = ports?.pattern === 'delta' ? `steps of ${ports.delta}` : ports?.pattern;
  const words = [
    `mapping ${short(mapping)}`,
    `filtering ${short(filtering)}`,
    `ports ${pattern}`,
    `SYN: ${unsolicitedSyn}`,
  ];
  return [...words, ...(hairpinning ? ['hairpins'] : [])].join(', ');
}

const short = (dependence: string | undefined) =>
  ({ 'endpoint-independent': 'EI', 'address-dependent': 'AD', 'address-and-port-dependent': 'APD' })[
    dependence ?? ''
  ] ?? dependence;
