import { describe, expect, it } from 'vitest';
import type { InterfaceAddress } from '../../../src/address/address-schema.js';
import type { NodeAddress } from '../../../src/address/node-address.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { formatEndpoint } from '../../../src/net/endpoint.js';
import { canonicalIp } from '../../../src/net/ip-scope.js';
import { machineTag } from '../../../src/net/machine.js';
import { candidates, MAX_CANDIDATES, vantageOf, whyNoCandidate } from '../../../src/strategies/candidates.js';
import { direct } from '../../../src/strategies/direct.js';
import { reverse } from '../../../src/strategies/reverse.js';
import { HOSTILE_HOSTS } from '../address/hostile-spellings.js';
import { interfaceAt, nat, signed } from '../address/samples.js';

const node = (...interfaces: InterfaceAddress[]): NodeAddress => signed({ interfaces }, createIdentity());
/** A node on this machine. */
const here = (...interfaces: InterfaceAddress[]): NodeAddress => {
  const identity = createIdentity();
  return signed({ interfaces, machine: machineTag(identity.id) }, identity);
};
const at = (address: string, more: Partial<InterfaceAddress> = {}) =>
  interfaceAt(address, { port: 7000, ...more });
const seenAs = (host: string, port: number | null = null) => ({ external: { host, port } });
const listed = (from: NodeAddress, to: NodeAddress) =>
  candidates(from, to).map(({ endpoint, near }) => `${formatEndpoint(endpoint)} ${near}`);

const roaming = node(at('10.50.0.9', seenAs('198.51.100.9')), at('2001:db8:50::9'));

describe('where one node may dial another', () => {
  it('on one machine: its own addresses, loopback among them', () => {
    const self = here(at('192.168.1.2'), at('2001:db8:1::2'));
    const other = here(at('192.168.1.2'), at('2001:db8:1::2'));
    expect(listed(self, other)).toEqual([
      '[2001:db8:1::2]:7000 same-machine',
      '192.168.1.2:7000 same-machine',
    ]);
    const lonely = here(at('127.0.0.1', { prefix: 8 }));
    expect(listed(lonely, here(at('127.0.0.1', { prefix: 8 })))).toEqual(['127.0.0.1:7000 same-machine']);
  });

  it('another machine that claims our addresses: never', () => {
    const self = here(at('192.168.1.2'));
    expect(listed(self, node(at('192.168.1.2'), at('127.0.0.1')))).toEqual([]);
  });

  it('on one network, by prefix or by the external address that both are seen from', () => {
    const self = node(at('192.168.1.2', seenAs('203.0.113.7')));
    expect(listed(self, node(at('192.168.1.3')))).toEqual(['192.168.1.3:7000 same-network']);
    expect(listed(self, node(at('10.9.9.9', seenAs('203.0.113.7'))))).toEqual(['10.9.9.9:7000 same-network']);
    expect(listed(self, node(at('10.9.9.9', seenAs('203.0.113.8'))))).toEqual([]);
  });

  it('in the world: near before far, IPv6 and IPv4 in turn, unproved mappings last', () => {
    const self = node(at('10.50.0.9', seenAs('198.51.100.9')), at('192.0.2.9'), at('2001:db8:50::9'));
    const peer = node(
      at('10.50.0.10', { ...seenAs('203.0.113.20', 4000), mapping: { by: 'pcp', proved: false } }),
      at('10.60.0.10', { ...seenAs('203.0.113.21', 4001), mapping: { by: 'pcp', proved: true } }),
      at('198.51.100.30'),
      at('2001:db8:60::10'),
      at('2001:db8:61::10'),
    );
    expect(listed(self, peer)).toEqual([
      '10.50.0.10:7000 same-network',
      '[2001:db8:60::10]:7000 world',
      '203.0.113.21:4001 world',
      '[2001:db8:61::10]:7000 world',
      '198.51.100.30:7000 world',
      '203.0.113.20:4000 world',
    ]);
    expect(candidates(self, peer).map(({ proved }) => proved)).toEqual([true, true, true, true, true, false]);
  });

  it('never in a family that this node does not have', () => {
    const four = node(at('203.0.113.9'));
    expect(listed(four, node(at('198.51.100.30'), at('2001:db8::1')))).toEqual(['198.51.100.30:7000 world']);
  });

  it('never where it does not listen', () => {
    expect(listed(roaming, node(at('203.0.113.1', { port: null })))).toEqual([]);
  });

  it.each([
    [{ kind: 'blocked' }, []],
    [{ kind: 'firewall' }, []],
    [{ kind: 'nat' }, []],
    [{ kind: 'nat', filtering: 'endpoint-independent' }, ['203.0.113.1:7000 world']],
    [{ kind: 'firewall', filtering: 'endpoint-independent' }, ['203.0.113.1:7000 world']],
    [{ kind: 'open' }, ['203.0.113.1:7000 world']],
    [{ kind: 'unknown' }, ['203.0.113.1:7000 world']],
  ] as const)(
    'behind something that lets nobody in unasked, only by its mapping: %o',
    (behaviour, expected) => {
      const tcp = { ...nat, ...behaviour };
      expect(listed(roaming, node(at('203.0.113.1', { tcp })))).toEqual(expected);
      const mapped = at('203.0.113.1', {
        tcp,
        ...seenAs('203.0.113.2', 5000),
        mapping: { by: 'held', proved: true },
      });
      expect(listed(roaming, node(mapped))).toContain('203.0.113.2:5000 world');
    },
  );

  it('each endpoint once, and at most eight (row 11)', () => {
    const many = Array.from({ length: 16 }, (_, i) => at(`203.0.113.${i}`, seenAs('198.51.100.1', 80)));
    const found = listed(roaming, node(...many));
    expect(found).toHaveLength(MAX_CANDIDATES);
    expect(MAX_CANDIDATES).toBe(8);
    const twice = node(at('203.0.113.1'), at('203.0.113.1'), at('203.0.113.1', seenAs('203.0.113.1', 7000)));
    expect(listed(roaming, twice)).toEqual(['203.0.113.1:7000 world']);
  });

  it('never at an address that leads elsewhere, however it got into the address (row 9)', () => {
    const hosts = Object.values(HOSTILE_HOSTS)
      .flat()
      .flatMap(host => canonicalIp(host) ?? []);
    expect(hosts.length).toBeGreaterThan(40);
    for (const host of hosts) {
      const other = host.includes(':') ? '2001:db8:50::1' : '203.0.113.1';
      expect(listed(roaming, node(at(host)))).toEqual([]);
      expect(listed(roaming, node(at(other, { ...seenAs(host, 80), port: null })))).toEqual([]);
      expect(listed(roaming, node(at(other, seenAs(host, 80))))).toHaveLength(1); // the twin: its own
    }
  });
});

describe('what an address tells about its owner’s place', () => {
  it('is its networks, and all that the world sees of it', () => {
    const { local, externals } = vantageOf(
      node(
        at('10.0.0.1', seenAs('203.0.113.7')),
        at('192.168.0.1', seenAs('203.0.113.7')),
        at('2001:db8::1'),
      ),
    );
    expect(local.map(({ address, scope }) => `${address} ${scope}`)).toEqual([
      '10.0.0.1 private',
      '192.168.0.1 private',
      '2001:db8::1 global',
    ]);
    expect(externals).toEqual(['2001:db8::1', '203.0.113.7']);
  });
});

describe('why there is no candidate', () => {
  const far = node(at('203.0.113.9'));
  it.each([
    ['not-listening', node(at('10.0.0.1', { port: null }))],
    ['not-listening', node()],
    ['no-common-family', node(at('2001:db8::1'))],
    ['behind-nat', node(at('10.0.0.1', seenAs('198.51.100.1')))],
    ['behind-firewall', node(at('198.51.100.1', { tcp: { ...nat, kind: 'firewall' } }))],
  ])('%s', (reason, peer) => {
    expect(candidates(far, peer)).toEqual([]);
    expect(whyNoCandidate(far, peer)).toBe(reason);
  });
});

describe('a node whose network lets nothing out but the web', () => {
  const web = { ...nat, egress: 'web-only' } as const;
  const strict = node(at('10.50.0.9', { ...seenAs('198.51.100.9'), tcp: web }));
  const open = { ...nat, kind: 'open', filtering: 'endpoint-independent' } as const;

  it('dials no port of the world but 80 and 443', () => {
    const peer = node(at('203.0.113.1', { tcp: open }));
    expect(candidates(strict, peer)).toEqual([]);
    expect(whyNoCandidate(strict, peer)).toBe('only-web-out');
    expect(listed(strict, node(at('203.0.113.1', { tcp: open, port: 443 })))).toEqual([
      '203.0.113.1:443 world',
    ]);
    const mapped = at('192.168.7.7', { ...seenAs('203.0.113.1', 80), mapping: { by: 'pcp', proved: true } });
    expect(listed(strict, node(mapped))).toEqual(['203.0.113.1:80 world']);
  });

  it('dials whoever is on its own network', () => {
    expect(listed(strict, node(at('10.50.0.10')))).toEqual(['10.50.0.10:7000 same-network']);
  });

  it('dials the world from another interface that lets more out', () => {
    const two = node(
      at('10.50.0.9', { tcp: web }),
      at('10.60.0.9', { tcp: { ...nat, egress: 'everything' } }),
    );
    expect(listed(two, node(at('203.0.113.1', { tcp: open })))).toEqual(['203.0.113.1:7000 world']);
  });

  it('has direct and reverse ruled out between it and an open node, with the reason', () => {
    const peer = node(at('203.0.113.1', { tcp: open }));
    expect(direct.assess(strict, peer)).toMatchObject({ verdict: 'impossible', reason: 'only-web-out' });
    expect(reverse.assess(peer, strict)).toMatchObject({ verdict: 'impossible', reason: 'only-web-out' });
  });
});

describe('two nodes seen at one outside address', () => {
  const one = node(at('192.168.1.2', seenAs('203.0.113.7')));

  it('share a network for sure only where one prefix says so', () => {
    const beside = node(at('192.168.1.3', seenAs('203.0.113.7')));
    expect(direct.assess(one, beside)).toMatchObject({ verdict: 'likely', reason: 'same-network' });
    const elsewhere = node(at('192.168.2.2', seenAs('203.0.113.7')));
    const guess = { verdict: 'possible', reason: 'same-outside-address' };
    expect(direct.assess(one, elsewhere)).toMatchObject(guess);
    expect(reverse.assess(one, elsewhere)).toMatchObject(guess);
  });
});
