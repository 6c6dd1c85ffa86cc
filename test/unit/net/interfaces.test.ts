import type { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { localAddresses } from '../../../src/net/interfaces.js';
import { machineTag } from '../../../src/net/machine.js';

type System = ReturnType<typeof networkInterfaces>;
const entry = (cidr: string) => {
  const address = cidr.split('/')[0]!;
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  return { address, cidr, family, mac: '', netmask: '', internal: false, scopeid: 0 } as never;
};
const system = (interfaces: Record<string, string[]>): System =>
  Object.fromEntries(Object.entries(interfaces).map(([name, list]) => [name, list.map(entry)]));

describe('the machine’s addresses', () => {
  it('are the global, private and shared ones, families in turn', () => {
    const found = localAddresses(
      system({
        lo: ['127.0.0.1/8', '::1/128'],
        eth0: ['192.168.1.2/24', '10.0.0.2/8', '2001:DB8::2/64', 'fe80::1/64'],
        ppp0: ['100.64.0.9/32'],
        weird: ['169.254.1.1/16', '224.0.0.1/4', '2002:102:304::1/16'],
      }),
    );
    expect(found).toEqual([
      { name: 'eth0', family: 4, address: '192.168.1.2', prefix: 24, scope: 'private' },
      { name: 'eth0', family: 6, address: '2001:db8::2', prefix: 64, scope: 'global' },
      { name: 'eth0', family: 4, address: '10.0.0.2', prefix: 8, scope: 'private' },
      { name: 'ppp0', family: 4, address: '100.64.0.9', prefix: 32, scope: 'shared' },
    ]);
  });

  it('are loopback where there is nothing else', () => {
    const found = localAddresses(system({ lo: ['127.0.0.1/8', '::1/128'], eth0: ['fe80::1/64'] }));
    expect(found.map(({ address }) => address)).toEqual(['127.0.0.1', '::1']);
  });

  it('may be none, or without a prefix', () => {
    expect(localAddresses({})).toEqual([]);
    expect(localAddresses({ eth0: undefined })).toEqual([]);
    const bare = system({ eth0: ['10.0.0.1/8', 'fd00::1/8'] });
    for (const one of bare.eth0!) one.cidr = null;
    expect(localAddresses(bare).map(({ prefix }) => prefix)).toEqual([32, 128]);
  });

  it('leave room for IPv6 among the first, however many bridges a machine has', () => {
    const many = Array.from({ length: 40 }, (_, i) => `10.0.${i}.1/24`);
    const first = localAddresses(system({ docker: many, eth0: ['2001:db8::1/64'] })).slice(0, 16);
    expect(first.some(({ family }) => family === 6)).toBe(true);
  });
});

describe('the machine’s tag', () => {
  it('is eight bytes, the same for one node each time, unlike for each node', () => {
    expect(machineTag('alice')).toHaveLength(8);
    expect(machineTag('alice').equals(machineTag('alice'))).toBe(true);
    expect(machineTag('alice').equals(machineTag('bob'))).toBe(false);
  });
});
