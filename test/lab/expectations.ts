// What must win between two kinds of NAT, and why: a pure function of their rows in nat-kinds.ts and of what
// the product can do so far. The matrix is checked against it, cell by cell.
import type { Behaviour } from '../../src/nat/profile.js';
import type { ExpectedBehaviour, NatKind } from './nat-kinds.js';

/** In the order in which they are tried. */
export const STRATEGIES = ['direct', 'reverse', 'punch', 'relay'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/**
 * What the product can do. `port-mapping`: it asks gateways for ports. `held-mapping`: it listens on a mapping
 * that it holds open, behind endpoint-independent filtering. `birthday`: punches random ports by many tries.
 */
export type Ability = StrategyName | 'port-mapping' | 'held-mapping' | 'birthday';

/** The abilities that have landed: the one place to change when another does. */
export const LANDED: ReadonlySet<Ability> = new Set<Ability>([
  'direct',
  'reverse',
  'punch',
  'relay',
  'birthday',
  'port-mapping',
  'held-mapping',
]);

export interface Expectation {
  /** The strategies of which one must win, the likeliest first; empty: no connection is possible. */
  readonly strategies: readonly StrategyName[];
  /** Why that one, or why none. */
  readonly reason: string;
}

/** What must happen when a node in place `a` connects to one in place `b`, each behind a gateway of its own. */
export function expectation(a: NatKind, b: NatKind, landed: ReadonlySet<Ability> = LANDED): Expectation {
  const families = ([4, 6] as const).filter(family => a.profile[family] && b.profile[family]);
  const obstacles: string[] = [];
  const paths = families.map(family => ({ a: a.profile[family]!.tcp, b: b.profile[family]!.tcp }));
  if (paths.length === 0) obstacles.push('one has only IPv4 and the other only IPv6');
  const strict = [a, b].some(({ egress }) => egress === 'web-only');
  if (strict) obstacles.push('one may send to ports 80 and 443 only, where no peer listens');

  if (paths.length > 0 && !strict) {
    if (landed.has('direct') && paths.some(path => admits(path.b, b, landed)))
      return { strategies: ['direct'], reason: 'the responder can be dialled' };
    // The initiator is a short-lived `wayleave connect`: it neither asks its gateway for a port nor holds one open.
    if (landed.has('reverse') && paths.some(path => path.a.kind === 'open'))
      return { strategies: ['reverse'], reason: 'the initiator can be dialled' };
    obstacles.push('neither side can be dialled');
    const verdicts = paths.map(path => punchable(path.a, path.b, landed));
    const works = verdicts.find(({ possible }) => possible);
    if (works && landed.has('punch')) {
      // Where neighbours take ports all the time, the best prediction misses now and then.
      const busy = [a, b].some(kind => kind.neighbourFlowsPerSecond !== undefined);
      const strategies = busy && landed.has('relay') ? (['punch', 'relay'] as const) : (['punch'] as const);
      return { strategies, reason: works.reason };
    }
    obstacles.push(works ? 'hole punching has not landed' : verdicts[0]!.reason);
  }
  if (landed.has('relay')) return { strategies: ['relay'], reason: obstacles.join('; ') };
  return { strategies: [], reason: [...obstacles, 'relaying has not landed'].join('; ') };
}

/** Whether a node that stays up there can be dialled by anybody. */
function admits(tcp: ExpectedBehaviour, kind: NatKind, landed: ReadonlySet<Ability>): boolean {
  if (tcp.kind === 'open') return true;
  if (kind.portMapping && landed.has('port-mapping')) return true;
  return tcp.kind === 'nat' && tcp.filtering === 'endpoint-independent' && landed.has('held-mapping');
}

interface Punch {
  readonly possible: boolean;
  readonly reason: string;
}

/** How the peer can know the external port from which a connection will come (RFC 5128 section 3.3). */
type Foresight = 'known' | 'guessable' | 'random';

function punchable(a: ExpectedBehaviour, b: ExpectedBehaviour, landed: ReadonlySet<Ability>): Punch {
  const sides = [
    { port: foresight(a), other: b },
    { port: foresight(b), other: a },
  ];
  const random = sides.filter(({ port }) => port === 'random');
  if (random.length === 2) return { possible: false, reason: 'random ports on both sides: nobody can aim' };
  const [blind] = random;
  if (!blind) {
    const guessed = sides.some(({ port }) => port === 'guessable');
    return {
      possible: true,
      reason: guessed ? 'the next port can be predicted' : 'both ports are known beforehand',
    };
  }
  if (foresight(blind.other) !== 'known')
    return {
      possible: false,
      reason: 'random ports on one side, changing ones on the other: nobody can aim',
    };
  if (blind.other.filtering !== 'address-and-port-dependent')
    return { possible: true, reason: 'one packet out lets every port of the random side in' };
  return landed.has('birthday')
    ? { possible: true, reason: 'random ports against one known port: many tries meet (birthday paradox)' }
    : {
        possible: false,
        reason: 'random ports against one known port need many tries, which have not landed',
      };
}

function foresight({ mapping, ports }: Partial<Behaviour>): Foresight {
  if (mapping === 'endpoint-independent') return 'known';
  return ports?.pattern === 'delta' ? 'guessable' : 'random';
}
