// Places that two nodes share: what stands between them is then not two gateways and the internet, and what
// decides is whether their traffic may turn round at the common one (hairpinning, RFC 4787 section 6).
import { type Ability, type Expectation, LANDED } from './expectations.js';
import { natKind } from './nat-kinds.js';
import type { Host, Site, World } from './world.js';

export interface Neighbourhood {
  readonly words: string;
  /** Builds it; the two hosts that shall meet, and over which site's link the world reaches them. */
  readonly build: (
    world: World,
    name: string,
  ) => { readonly hosts: readonly [Host, Host]; readonly site: Site };
  readonly expectation: (landed: ReadonlySet<Ability>) => Expectation;
}

/** Two homes, each with a router of its own, behind one carrier's NAT. */
function twoHomes(world: World, name: string, carrier: 'port-restricted-drop' | 'hairpin') {
  const site = world.site(`${name}-carrier`, natKind(carrier), { hosts: 0, lan: '100.64.1' });
  const homes = [1, 2].map(i =>
    world.site(`${name}-home-${i}`, natKind('port-restricted-drop'), { behind: site, lan: `192.168.${i}` }),
  );
  return { hosts: [homes[0]!.host, homes[1]!.host] as const, site };
}

export const NEIGHBOURHOODS = {
  'same-lan': {
    words: 'two hosts on one LAN, behind one port-restricted NAT without hairpinning',
    build: (world, name) => {
      const site = world.site(name, natKind('port-restricted-drop'), { hosts: 2 });
      return { hosts: [site.hosts[0]!, site.hosts[1]!], site };
    },
    expectation: landed =>
      landed.has('direct')
        ? { strategies: ['direct'], reason: 'they are on one network' }
        : { strategies: [], reason: 'direct has not landed' },
  },
  'same-carrier': {
    words: 'two homes behind one carrier NAT that does not hairpin',
    build: (world, name) => twoHomes(world, name, 'port-restricted-drop'),
    expectation: landed => {
      const reason = 'their common NAT turns nothing round';
      if (landed.has('relay')) return { strategies: ['relay'], reason };
      return { strategies: [], reason: `${reason}; relaying has not landed` };
    },
  },
  'same-carrier-hairpin': {
    words: 'two homes behind one carrier NAT with hairpinning',
    build: (world, name) => twoHomes(world, name, 'hairpin'),
    expectation: landed => {
      if (landed.has('punch'))
        return { strategies: ['punch'], reason: 'their common NAT turns packets round' };
      if (landed.has('relay')) return { strategies: ['relay'], reason: 'hole punching has not landed' };
      return { strategies: [], reason: 'neither hole punching nor relaying has landed' };
    },
  },
} satisfies Record<string, Neighbourhood>;

export type NeighbourhoodName = keyof typeof NEIGHBOURHOODS;

export function neighbourhood(name: NeighbourhoodName): Neighbourhood {
  return NEIGHBOURHOODS[name];
}

/** What must happen between the two neighbours, either way. */
export function neighbourExpectation(name: NeighbourhoodName, landed = LANDED): Expectation {
  return neighbourhood(name).expectation(landed);
}
