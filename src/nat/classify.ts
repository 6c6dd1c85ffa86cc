// From samples to a behaviour, in the words of RFC 4787, by the tests of RFC 5780 section 4. Pure: no socket,
// no clock. What the samples do not show is `unknown`; silence counts only when loss cannot explain it.
import type { Endpoint } from '../net/endpoint.js';
import { portPattern } from './port-pattern.js';
import { type Behaviour, type Dependence, UNKNOWN_BEHAVIOUR } from './profile.js';
import {
  type Delivery,
  deliveryRate,
  doubtOfSilence,
  type FilteringSample,
  type MappingSample,
  type Samples,
} from './samples.js';

/** Silence is taken for an answer when bad luck explains it less often than this. */
const MAX_DOUBT = 0.02;
/** The same where another local port shows the contrary. */
const MAX_DOUBT_TO_CONTRADICT = 0.0001;

/** What is known besides the samples themselves. */
export interface Evidence {
  /** Exchanges over the same path on the other transport. */
  readonly delivery?: Delivery;
  /** The servers answered on the other transport, so they live. */
  readonly serversAlive?: boolean;
  /** The servers are known to serve this transport, so silence is the network's doing. */
  readonly served?: boolean;
}

interface Verdict<V> {
  readonly value: V;
  readonly confidence: number;
}

export function classify(samples: Samples, evidence: Evidence = {}): Behaviour {
  const { mapping, filtering, transport, localAddress } = samples;
  if (mapping.length === 0) return unheard(samples, evidence);

  const rate = deliveryRate(samples.delivery, ...(evidence.delivery ? [evidence.delivery] : []));
  const mapped = mappingOf(mapping);
  const filtered = filteringOf(filtering, rate);
  const ports = portPattern(mapping);
  const direct = mapping.every(
    ({ local, mapped }) => mapped.host === localAddress && mapped.port === local.port,
  );
  const kind = direct ? kindWithoutNat(filtered.value) : 'nat';
  const syn = transport === 'tcp' ? unsolicitedSyn(filtering, rate) : undefined;

  const verdicts = [
    { value: kind, confidence: kind === 'nat' ? 1 - 2 ** -mapping.length : filtered.confidence },
    mapped,
    filtered,
    { value: ports.pattern, confidence: ports.confidence },
  ];
  const known = verdicts.filter(({ value }) => value !== 'unknown');
  return {
    kind,
    mapping: mapped.value,
    filtering: filtered.value,
    ports: {
      pattern: ports.pattern,
      ...(ports.delta === undefined ? {} : { delta: ports.delta }),
    },
    hairpinning: kind === 'nat' && samples.hairpin ? hairpinning(samples.hairpin) : null,
    unsolicitedSyn: syn ?? 'unknown',
    ...egress(samples, evidence, rate),
    samples: Math.min(65_535, mapping.length + filtering.length),
    confidence: known.length === 0 ? 0 : round(Math.min(...known.map(({ confidence }) => confidence))),
  };
}

/**
 * RFC 5780 section 4.3, by vote: the samples of one local port towards several addresses and ports.
 * One server that lies does not outvote two that agree.
 */
export function mappingOf(samples: readonly MappingSample[]): Verdict<Dependence> {
  const ofOnePort = mostTravelled(samples);
  const byHost = groupByHost(ofOnePort);
  const several = [...byHost.values()].filter(group => group.length > 1);
  const portsMatter = several.filter(group => !allAlike(group)).length;
  if (portsMatter > several.length / 2) {
    return { value: 'address-and-port-dependent', confidence: 1 - 2 ** -ofOnePort.length };
  }
  if (byHost.size < 2 || (portsMatter > 0 && portsMatter === several.length / 2)) return NOT_SHOWN;

  const views = [...byHost.values()].map(group => key(group[0]!.mapped));
  const agreeing = Math.max(...views.map(view => views.filter(other => other === view).length));
  if (agreeing > views.length / 2 && agreeing > 1) {
    const share = agreeing / views.length;
    return { value: 'endpoint-independent', confidence: (1 - 2 ** -ofOnePort.length) * share };
  }
  // Different for each address. Whether for each port too, only an address with two ports can show.
  if (agreeing > 1 || several.length === 0) return NOT_SHOWN;
  return { value: 'address-dependent', confidence: 1 - 2 ** -ofOnePort.length };
}

/** RFC 5780 section 4.4, by vote of the servers that could show it. */
export function filteringOf(samples: readonly FilteringSample[], rate: number): Verdict<Dependence> {
  const votes = new Map<Dependence, number[]>();
  for (const ofServer of groupBy(samples, ({ server }) => key(server))) {
    const { value, confidence } = filteringSeenBy(ofServer, rate);
    if (value !== 'unknown') votes.set(value, [...(votes.get(value) ?? []), confidence]);
  }
  const ranked = [...votes].sort(([, a], [, b]) => b.length - a.length);
  const [first, second] = ranked;
  if (!first || first[1].length === second?.[1].length) return NOT_SHOWN;
  const share = first[1].length / ranked.reduce((sum, [, each]) => sum + each.length, 0);
  return { value: first[0], confidence: Math.max(...first[1]) * share };
}

function filteringSeenBy(samples: readonly FilteringSample[], rate: number): Verdict<Dependence> {
  const address = outcomeOf(samples, 'address', rate);
  const port = outcomeOf(samples, 'port', rate);
  if (address?.passed) return { value: 'endpoint-independent', confidence: address.confidence };
  if (port && !port.passed) {
    // Stricter about the port than about anything: the other address need not be asked, if it could be at all.
    const confidence = Math.min(port.confidence, address?.confidence ?? 1);
    return { value: 'address-and-port-dependent', confidence };
  }
  if (port?.passed && address) return { value: 'address-dependent', confidence: address.confidence };
  return NOT_SHOWN;
}

interface Outcome {
  readonly passed: boolean;
  /** How likely it is only bad luck. */
  readonly doubt: number;
  readonly confidence: number;
}

// Where one local port lets in and another clearly does not, the strict one is right: the other had been used
// before, by whomever, and the NAT remembers whom it contacted then.
function outcomeOf(
  samples: readonly FilteringSample[],
  change: FilteringSample['change'],
  rate: number,
): Outcome | undefined {
  const ofChange = samples.filter(sample => sample.change === change);
  const outcomes = groupBy(ofChange, ({ localPort }) => String(localPort))
    .map(all => ofOnePort(all, rate))
    .filter(outcome => outcome !== undefined);
  const strict = outcomes.find(({ passed, doubt }) => !passed && doubt <= MAX_DOUBT_TO_CONTRADICT);
  return strict ?? outcomes.find(({ passed }) => passed) ?? outcomes[0];
}

function ofOnePort(all: readonly FilteringSample[], rate: number): Outcome | undefined {
  if (all.some(({ outcome }) => outcome === 'passed')) return { passed: true, doubt: 0, confidence: 0.99 };
  if (all.some(({ outcome }) => outcome === 'refused')) return { passed: false, doubt: 0, confidence: 0.99 };
  const tries = all.reduce((sum, sample) => sum + sample.tries, 0);
  const doubt = doubtOfSilence(tries, rate);
  return tries === 0 || doubt > MAX_DOUBT ? undefined : { passed: false, doubt, confidence: 1 - doubt };
}

function unsolicitedSyn(samples: readonly FilteringSample[], rate: number): Behaviour['unsolicitedSyn'] {
  if (samples.some(({ outcome }) => outcome === 'refused')) return 'reset';
  const kept = (['address', 'port'] as const).map(change => outcomeOf(samples, change, rate));
  return kept.some(outcome => outcome && !outcome.passed) ? 'drop' : 'unknown';
}

function kindWithoutNat(filtering: Dependence): Behaviour['kind'] {
  if (filtering === 'unknown') return 'unknown';
  return filtering === 'endpoint-independent' ? 'open' : 'firewall';
}

// A packet to oneself crosses one's own network only; three lost ones are not loss.
function hairpinning({ passed, tries }: { passed: boolean; tries: number }): boolean | null {
  return passed ? true : tries >= 2 ? false : null;
}

/** UDP that gets out shows that more than the web does; how much of TCP, nobody has seen then. */
function egress({ beyondWeb }: Samples, evidence: Evidence, rate: number): Pick<Behaviour, 'egress'> {
  if (beyondWeb?.passed) return { egress: 'everything' };
  const silent = beyondWeb && doubtOfSilence(beyondWeb.tries, rate) <= MAX_DOUBT;
  return silent && !evidence.serversAlive ? { egress: 'web-only' } : {};
}

/** Nothing was heard at all: blocked, or nobody there. */
function unheard({ unheard }: Samples, evidence: Evidence): Behaviour {
  const sends = unheard.reduce((sum, each) => sum + each.sends, 0);
  if (sends === 0 || unheard.some(({ how }) => how === 'refused')) return UNKNOWN_BEHAVIOUR;
  const blocked = { ...UNKNOWN_BEHAVIOUR, kind: 'blocked', samples: sends } as const;
  // Silence on every transport: the servers may as well be down, all the less likely the more they are.
  if (!evidence.serversAlive) return { ...blocked, confidence: unheard.length > 1 ? 0.75 : 0.5 };
  const doubt = doubtOfSilence(sends, deliveryRate(...(evidence.delivery ? [evidence.delivery] : [])));
  if (!evidence.served || doubt > MAX_DOUBT) return UNKNOWN_BEHAVIOUR;
  return { ...blocked, confidence: round(1 - doubt) };
}

/** The external address that most samples agree on, with the port that its first sample had. */
export function externalOf(samples: readonly MappingSample[]): Endpoint | undefined {
  const groups = groupBy(samples, ({ mapped }) => mapped.host).sort((a, b) => b.length - a.length);
  return groups[0]?.[0]?.mapped;
}

const NOT_SHOWN = { value: 'unknown', confidence: 0 } as const;

/** The samples of the local port that contacted most endpoints. */
function mostTravelled(samples: readonly MappingSample[]): MappingSample[] {
  return groupBy(samples, ({ local }) => String(local.port)).sort((a, b) => b.length - a.length)[0] ?? [];
}

function groupByHost(samples: readonly MappingSample[]): Map<string, MappingSample[]> {
  return new Map(groupBy(samples, ({ server }) => server.host).map(group => [group[0]!.server.host, group]));
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return [...groups.values()];
}

function allAlike(samples: readonly MappingSample[]): boolean {
  return samples.every(({ mapped }) => key(mapped) === key(samples[0]!.mapped));
}

function key({ host, port }: Endpoint): string {
  return `${host} ${port}`;
}

function round(confidence: number): number {
  return Math.round(confidence * 1000) / 1000;
}
