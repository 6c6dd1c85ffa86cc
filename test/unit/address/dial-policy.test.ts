// security.md rows 9, 10 and 15: what may be dialled, and on whose word.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DialVerdict,
  dialOnStrangersWord,
  dialOnUsersWord,
  type Requester,
  type Vantage,
} from '../../../src/address/dial-policy.js';
import { type Endpoint, parseEndpoint, toEndpoint } from '../../../src/net/endpoint.js';
import { canonicalIp, inSamePrefix, ipScope } from '../../../src/net/ip-scope.js';
import { dialTcp } from '../../../src/net/sockets.js';
import { HOSTILE, HOSTILE_HOSTS, SECOND_NAMES } from './hostile-spellings.js';

const local = (address: string, prefix: number) => {
  const family = address.includes(':') ? (6 as const) : (4 as const);
  return { name: 'eth0', family, address, prefix, scope: ipScope(address) };
};
const vantage: Vantage = {
  local: [local('192.168.1.23', 24), local('2001:db8:1::23', 64), local('127.0.0.1', 8), local('::1', 128)],
  externals: ['203.0.113.77', '2001:db8:1::23'],
};
const elsewhere = { sameMachine: false, externals: ['198.51.100.9'] };
/** Nobody could have a better word than the server's: it saw the request come from that very host. */
const seenThere = (host: string, more: Partial<Requester> = {}): Requester => ({
  seenFrom: host,
  seenAs: '203.0.113.77',
  sameMachine: false,
  ...more,
});
const verdict = (value: DialVerdict) => ('near' in value ? value.near : 'refused');

describe(`${HOSTILE.length} hostile spellings (row 9)`, () => {
  it('are at least 60, and each another', () => {
    const all = HOSTILE.map(([host, port]) => `${JSON.stringify(host)} ${typeof port} ${String(port)}`);
    expect(new Set(all).size).toBe(HOSTILE.length);
    expect(HOSTILE.length).toBeGreaterThanOrEqual(60);
  });

  const refused = (endpoint: Endpoint) => {
    expect(verdict(dialOnUsersWord(endpoint, vantage, elsewhere))).toBe('refused');
    for (const seenAs of ['203.0.113.77', '127.0.0.1', undefined]) {
      expect(verdict(dialOnStrangersWord(endpoint, vantage, seenThere(endpoint.host, { seenAs })))).toBe(
        'refused',
      );
    }
  };

  it.each(HOSTILE)('%j port %o is dialled on nobody’s word', (host, port) => {
    refused({ host, port } as Endpoint);
  });

  it.each(Object.entries(HOSTILE_HOSTS))('%s: nor are they in canonical form', (_, hosts) => {
    for (const host of hosts) {
      const canonical = toEndpoint(host, 80);
      if (canonical) refused(canonical);
    }
  });

  it('are no endpoints, if they are not canonical, and never names that a socket would look up', async () => {
    const names = HOSTILE.filter(
      ([host, port]) => toEndpoint(host.split('%')[0]!, port as number) === undefined,
    );
    expect(names.length).toBeGreaterThan(60);
    for (const [host, port] of names) {
      const remote = { host, port } as Endpoint;
      await expect(dialTcp({ remote })).rejects.toMatchObject({ code: 'dial-refused' });
    }
  });

  it('the twin: second names, in canonical form, are what they name', () => {
    const canonical = SECOND_NAMES.flatMap(host => toEndpoint(host, 80) ?? []);
    expect(canonical.length).toBeGreaterThan(2);
    for (const endpoint of canonical) {
      expect(verdict(dialOnUsersWord(endpoint, vantage, elsewhere))).toBe('world');
    }
  });
});

describe('the twin: what may be dialled', () => {
  it.each([
    ['8.8.8.8:443', 'world'],
    ['203.0.113.5:1', 'world'],
    ['[2a00:1450::1]:65535', 'world'],
    ['[2001:db8:2::1]:443', 'world'],
    ['[2001:db8:1::99]:443', 'same-network'],
    ['192.168.1.99:443', 'same-network'],
  ])('%s is %s, on the user’s word and on a stranger’s who was seen there', (text, near) => {
    const endpoint = parseEndpoint(text)!;
    expect(verdict(dialOnUsersWord(endpoint, vantage, elsewhere))).toBe(near);
    const asStranger = verdict(dialOnStrangersWord(endpoint, vantage, seenThere(endpoint.host)));
    expect(asStranger).toBe(ipScope(endpoint.host) === 'global' ? 'world' : near);
  });
});

describe('on the user’s word', () => {
  const on = (text: string, peer: { sameMachine: boolean; externals: string[] }, from: Vantage = vantage) =>
    verdict(dialOnUsersWord(parseEndpoint(text)!, from, peer));

  it('a private address is dialled where both are seen from one external address', () => {
    expect(on('10.9.8.7:80', { sameMachine: false, externals: ['203.0.113.77'] })).toBe('same-network');
    expect(on('10.9.8.7:80', { sameMachine: false, externals: ['203.0.113.78'] })).toBe('refused');
    expect(on('100.64.1.1:80', { sameMachine: false, externals: [] })).toBe('refused');
  });

  it('this machine’s own addresses are dialled for a node that runs on it, and for no other', () => {
    for (const own of ['127.0.0.1:80', '[::1]:80', '192.168.1.23:80', '[2001:db8:1::23]:80']) {
      expect(on(own, { sameMachine: true, externals: [] })).toBe('same-machine');
      expect(on(own, elsewhere)).toBe('refused');
    }
    expect(on('192.168.1.24:80', { sameMachine: true, externals: [] })).toBe('refused');
    expect(on('8.8.8.8:80', { sameMachine: true, externals: [] })).toBe('refused');
    expect(
      verdict(dialOnUsersWord({ host: '127.1', port: 80 }, vantage, { sameMachine: true, externals: [] })),
    ).toBe('refused');
  });
});

describe('on a stranger’s word', () => {
  const on = (text: string, who: Requester) =>
    verdict(dialOnStrangersWord(parseEndpoint(text)!, vantage, who));

  it('nothing is dialled when nobody vouches for where the request came from', () => {
    expect(on('8.8.8.8:80', seenThere('8.8.8.8', { seenFrom: undefined }))).toBe('refused');
    expect(on('192.168.1.99:80', seenThere('', { seenFrom: undefined }))).toBe('refused');
  });

  it('a neighbour may name itself, not another of our network', () => {
    expect(on('192.168.1.99:80', seenThere('192.168.1.99'))).toBe('same-network');
    expect(on('192.168.1.1:80', seenThere('192.168.1.99'))).toBe('refused');
    expect(on('192.168.1.1:80', seenThere('198.51.100.9'))).toBe('refused');
  });

  it('a private network that we are not on is dialled only where the server sees us inside it, too', () => {
    expect(on('10.9.8.7:80', seenThere('10.9.8.7', { seenAs: '203.0.113.77' }))).toBe('refused');
    expect(on('10.9.8.7:80', seenThere('10.9.8.7', { seenAs: undefined }))).toBe('refused');
    expect(on('10.9.8.7:80', seenThere('10.9.8.7', { seenAs: '10.1.1.1' }))).toBe('same-network');
    expect(on('10.9.8.7:80', seenThere('10.9.8.7', { seenAs: '100.64.0.1' }))).toBe('refused');
  });

  it('our own addresses are dialled only for a node on this machine', () => {
    expect(on('192.168.1.23:80', seenThere('192.168.1.23'))).toBe('refused');
    expect(on('192.168.1.23:80', seenThere('192.168.1.23', { sameMachine: true }))).toBe('same-machine');
    expect(on('127.0.0.1:80', seenThere('8.8.8.8', { sameMachine: true }))).toBe('same-machine');
    expect(on('8.8.8.8:80', seenThere('8.8.8.8', { sameMachine: true }))).toBe('refused');
  });

  // Few hosts, so that they meet each other often; all kinds among them.
  const host = fc.constantFrom(
    ...'8.8.8.8 203.0.113.77 198.51.100.9 192.168.1.1 192.168.1.23 192.168.1.99 10.9.8.7 100.64.0.1'.split(
      ' ',
    ),
    ...'127.0.0.1 127.0.0.2 169.254.169.254 0.0.0.0 224.0.0.1 127.1 2001:db8:1::23 2001:db8:1::99'.split(' '),
    ...'2001:db8:2::1 ::1 fe80::1 :: fd00::1 ::ffff:808:808 2002:808:808::1'.split(' '),
  );
  const anyHost = host;
  const anywhere: fc.Arbitrary<Vantage> = fc
    .array(
      fc.tuple(
        host.filter(text => canonicalIp(text) !== undefined),
        fc.integer({ min: 8, max: 32 }),
      ),
      { maxLength: 4 },
    )
    .map(list => ({ local: list.map(([address, prefix]) => local(address, prefix)), externals: [] }));

  const request = host.chain(host =>
    fc.record({
      host: fc.constant(host),
      port: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 1, max: 65535 }) },
        fc.constantFrom(0, -1, 65536),
      ),
      vantage: anywhere,
      seenFrom: fc.oneof(fc.constant(host), anyHost, fc.constant(undefined)),
      seenAs: fc.oneof(anyHost, fc.constant(undefined)),
      sameMachine: fc.boolean(),
    }),
  );

  it('a third party’s address never passes, whoever asks and wherever we are (rows 10 and 15)', () => {
    const passed = new Map<string, number>();
    fc.assert(
      fc.property(request, ({ host, port, vantage, seenFrom, seenAs, sameMachine }) => {
        const value = dialOnStrangersWord({ host, port }, vantage, { seenFrom, seenAs, sameMachine });
        if ('refused' in value) return;
        passed.set(value.near, (passed.get(value.near) ?? 0) + 1);
        expect(canonicalIp(host)).toBe(host);
        expect(port >= 1 && port <= 65535).toBe(true);
        const ours = vantage.local.some(({ address }) => address === host);
        if (sameMachine) {
          expect(value.near).toBe('same-machine');
          expect(ours || ipScope(host) === 'loopback').toBe(true);
          return;
        }
        expect(host).toBe(seenFrom);
        expect(ours).toBe(false);
        expect(['global', 'private', 'shared']).toContain(ipScope(host));
        expect(value.near === 'world').toBe(ipScope(host) === 'global');
        if (value.near === 'world') return;
        const onLink = vantage.local.some(({ address, prefix }) => inSamePrefix(host, address, prefix));
        expect(onLink || ipScope(seenAs ?? '') === ipScope(host)).toBe(true);
      }),
      { numRuns: 50_000 },
    );
    // the twin: each way was taken
    for (const near of ['same-machine', 'same-network', 'world'])
      expect(passed.get(near) ?? 0).toBeGreaterThan(100);
  }, 120_000);
});
