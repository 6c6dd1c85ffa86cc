import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NodeAddress } from '../../../src/address/node-address.js';
import { OwnAddress, type OwnAddressOptions } from '../../../src/address/own-address.js';
import type { LocalAddress } from '../../../src/net/interfaces.js';
import { ipScope } from '../../../src/net/ip-scope.js';
import { FakeClock } from '../../fake-clock.js';
import { HOUR, identity, nat } from './samples.js';

const at = (address: string, prefix = 24): LocalAddress => {
  const family = address.includes(':') ? 6 : 4;
  return { name: 'eth0', family, address, prefix, scope: ipScope(address) };
};

let clock: FakeClock;
let machine: () => LocalAddress[];
let published: NodeAddress[];
let own: OwnAddress;
function start(options: Partial<OwnAddressOptions> = {}): OwnAddress {
  own = new OwnAddress({
    identity,
    clock,
    port: 7000,
    host: undefined,
    servers: ['ws://a.example'],
    capabilities: ['reverse'],
    lifetimeMs: 24 * HOUR,
    pollMs: 5000,
    onChange: address => published.push(address),
    localAddresses: () => machine(),
    ...options,
  });
  return own;
}
/** Time passes on the clock and for the poll. */
async function pass(ms: number): Promise<void> {
  await clock.advance(ms);
  vi.advanceTimersByTime(ms);
}
const hosts = () => own.current.interfaces.map(({ address }) => address);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  clock = new FakeClock();
  machine = () => [at('192.168.1.2'), at('2001:db8::2', 64)];
  published = [];
});
afterEach(() => {
  own[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the node’s own address', () => {
  it('says what the machine has, verifies, and is recognised here', () => {
    const { current } = start();
    expect(NodeAddress.parse(current.toString(), clock.wall()).id).toBe(identity.id);
    expect(current.onThisMachine).toBe(true);
    expect(current.expiresAt.getTime() - current.issuedAt.getTime()).toBe(24 * HOUR);
    expect(current.interfaces.map(({ address, prefix, port }) => ({ address, prefix, port }))).toEqual([
      { address: '192.168.1.2', prefix: 24, port: 7000 },
      { address: '2001:db8::2', prefix: 64, port: 7000 },
    ]);
    expect(published).toEqual([]);
  });

  it.each([
    ['0.0.0.0', ['192.168.1.2']],
    ['::', ['192.168.1.2', '2001:db8::2']],
    ['2001:db8::2', ['2001:db8::2']],
    ['127.0.0.1', ['127.0.0.1']],
  ])('holds only where it listens: %s', (host, expected) => {
    start({ host });
    expect(hosts()).toEqual(expected);
  });

  it('holds at most 16 addresses', () => {
    machine = () => Array.from({ length: 40 }, (_, i) => at(`10.0.${i}.1`));
    start();
    expect(hosts()).toHaveLength(16);
  });
});

describe('it is published anew', () => {
  it('when the machine’s addresses change, and only then', async () => {
    start();
    await pass(60_000);
    expect(published).toHaveLength(0);
    machine = () => [at('10.0.0.2')];
    await pass(5000);
    expect(published).toHaveLength(1);
    expect(published[0]!.interfaces.map(({ address }) => address)).toEqual(['10.0.0.2']);
    expect(own.local.map(({ address }) => address)).toEqual(['10.0.0.2']);
    await pass(60_000);
    expect(published).toHaveLength(1);
  });

  it('when something is learned, once', () => {
    start();
    own.learn('192.168.1.2', { tcp: nat });
    own.learn('192.168.1.2', { tcp: nat });
    own.learn('192.168.1.2', { external: { host: '203.0.113.7', port: 7001 } });
    expect(published).toHaveLength(2);
    expect(own.current.interfaces[0]).toMatchObject({
      tcp: nat,
      external: { host: '203.0.113.7', port: 7001 },
    });
  });

  it('when a way in opens and when it closes, whatever is measured meanwhile', () => {
    start();
    const way = {
      external: { host: '203.0.113.7', port: 9000 },
      mapping: { by: 'pcp', proved: true },
    } as const;
    own.mapped('192.168.1.2', way);
    own.mapped('192.168.1.2', way);
    expect(published).toHaveLength(1);
    own.learn('192.168.1.2', { tcp: nat, external: { host: '203.0.113.7', port: null } });
    expect(own.current.interfaces[0]).toMatchObject({ ...way, tcp: nat });
    own.mapped('192.168.1.2', undefined);
    expect(own.current.interfaces[0]).toMatchObject({ external: { port: null }, mapping: null, tcp: nat });
    expect(published).toHaveLength(3);
  });

  it('without a way in to an address that is gone', async () => {
    start();
    const way = {
      external: { host: '203.0.113.7', port: 9000 },
      mapping: { by: 'pcp', proved: true },
    } as const;
    own.mapped('192.168.1.2', way);
    machine = () => [];
    await pass(5000);
    machine = () => [at('192.168.1.2')];
    await pass(5000);
    expect(own.current.interfaces[0]).toMatchObject({ external: null, mapping: null });
  });

  it('without what was learned about an address that is gone', async () => {
    start();
    own.learn('192.168.1.2', { tcp: nat });
    machine = () => [];
    await pass(5000);
    machine = () => [at('192.168.1.2')];
    await pass(5000);
    expect(own.current.interfaces[0]!.tcp.kind).toBe('unknown');
  });

  it('at half of its lifetime, so that it never expires', async () => {
    start();
    await pass(12 * HOUR);
    expect(published).toHaveLength(0);
    await pass(10_000);
    expect(published).toHaveLength(1);
    expect(own.current.expiresAt.getTime()).toBeGreaterThan(clock.wall() + 23 * HOUR);
  });

  it('when the clock was ahead and is set right: others would call it issued in the future', async () => {
    start();
    const rightNow = clock.wall() - 2 * HOUR;
    clock.setWall(rightNow);
    expect(() => NodeAddress.parse(own.current.toString(), rightNow)).toThrow(/in the future/);
    await pass(5000);
    expect(NodeAddress.parse(own.current.toString(), rightNow).id).toBe(identity.id);
  });
});

describe('the system that has no answer for a moment', () => {
  it('changes nothing and throws nothing', async () => {
    start();
    machine = () => {
      throw new Error('EMFILE');
    };
    await pass(60_000);
    expect([published.length, hosts()]).toEqual([0, ['192.168.1.2', '2001:db8::2']]);
  });
});

describe('what a server saw', () => {
  it('is the external address of the only private one', () => {
    start();
    own.seenAs('203.0.113.7');
    expect(own.current.interfaces[0]!.external).toEqual({ host: '203.0.113.7', port: null });
    expect(own.current.interfaces[1]!.external).toBeNull();
  });

  it.each([
    ['when there are two', () => [at('192.168.1.2'), at('10.0.0.2')], '203.0.113.7'],
    ['when it is private itself', () => [at('192.168.1.2')], '10.0.0.1'],
    ['when it is nonsense', () => [at('192.168.1.2')], 'nonsense'],
    ['of the other family', () => [at('192.168.1.2')], '2001:db8::7'],
    ['of loopback', () => [at('127.0.0.1', 8)], '203.0.113.7'],
    ['of a global one', () => [at('203.0.113.7')], '203.0.113.8'],
  ])('is nobody’s %s', (_, addresses, seen) => {
    machine = addresses;
    start();
    own.seenAs(seen);
    expect(own.current.interfaces.every(({ external }) => external === null)).toBe(true);
    expect(published).toEqual([]);
  });

  it('does not replace what was measured', () => {
    start();
    own.learn('192.168.1.2', { external: { host: '203.0.113.7', port: 7001 } });
    own.seenAs('203.0.113.99');
    expect(own.current.interfaces[0]!.external).toEqual({ host: '203.0.113.7', port: 7001 });
  });
});
