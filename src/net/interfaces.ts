// The machine's own addresses, as far as a peer could use them.
import { networkInterfaces } from 'node:os';
import { canonicalIp, type Family, type IpScope, ipScope } from './ip-scope.js';

export interface LocalAddress {
  /** The interface's name, like `eth0`. */
  readonly name: string;
  readonly family: Family;
  readonly address: string;
  /** Prefix length in bits, 0 to 32 or 128. */
  readonly prefix: number;
  readonly scope: IpScope;
}

type SystemInterfaces = ReturnType<typeof networkInterfaces>;

/**
 * Every usable address: global, private and shared ones, IPv4 and IPv6 in turn, so that whoever takes the first
 * few gets both. Link-local addresses need a zone and are left out; loopback is listed only where there is
 * nothing else.
 */
export function localAddresses(system: SystemInterfaces = networkInterfaces()): LocalAddress[] {
  const all: LocalAddress[] = [];
  for (const [name, entries] of Object.entries(system)) {
    for (const entry of entries ?? []) {
      const address = canonicalIp(entry.address);
      if (address === undefined) continue;
      const prefix = Number(entry.cidr?.split('/')[1] ?? (entry.family === 'IPv6' ? 128 : 32));
      all.push({ name, family: entry.family === 'IPv6' ? 6 : 4, address, prefix, scope: ipScope(address) });
    }
  }
  const usable = all.filter(({ scope }) => scope === 'global' || scope === 'private' || scope === 'shared');
  return inTurn(usable.length > 0 ? usable : all.filter(({ scope }) => scope === 'loopback'));
}

function inTurn(all: LocalAddress[]): LocalAddress[] {
  const four = all.filter(({ family }) => family === 4);
  const six = all.filter(({ family }) => family === 6);
  return Array.from({ length: Math.max(four.length, six.length) }, (_, i) => [four[i], six[i]])
    .flat()
    .filter(address => address !== undefined);
}

/** This machine as it sees itself, for servers that run on it. */
export function loopbackAddresses(system: SystemInterfaces = networkInterfaces()): LocalAddress[] {
  const internal = Object.entries(system).filter(([, entries]) => entries?.every(entry => entry.internal));
  return localAddresses(Object.fromEntries(internal));
}
