// Finds the one gateway that may be asked: the default route's next hop on the interface that owns our
// address. On Linux by reading /proc; elsewhere by the system's own `netstat` or `route`.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { endianness, networkInterfaces } from 'node:os';
import { canonicalIp, type Family, familyOf, ipScope } from '../net/ip-scope.js';
import {
  type DefaultRoute,
  parseLinuxRoutes4,
  parseLinuxRoutes6,
  parseNetstatRoutes,
  parseWindowsRoutes4,
  parseWindowsRoutes6,
} from './routing-table.js';

/** The next hop of an interface's default route. */
export interface Gateway {
  /** Canonical, without a zone; for IPv6 usually link-local. */
  readonly address: string;
  /** The interface, as a zone of scoped addresses: its name, on Windows its number. */
  readonly zone: string;
  /** Where PCP and NAT-PMP listen. Default: 5351. */
  readonly controlPort?: number;
  /** Where SSDP listens. Default: 1900. */
  readonly ssdpPort?: number;
}

export type InterfaceTable = ReturnType<typeof networkInterfaces>;

/** The interface that owns an address, and what its systems call it. */
export interface OwningInterface {
  readonly name: string;
  readonly addresses: readonly string[];
  /** The system's number for it, where a link-local address shows it. */
  readonly index: number | undefined;
  /** Its link-local IPv6 address, which SSDP is spoken from. */
  readonly linkLocal: string | undefined;
}

export function owningInterface(
  localAddress: string,
  table: InterfaceTable = networkInterfaces(),
): OwningInterface | undefined {
  for (const [name, entries = []] of Object.entries(table)) {
    const addresses = entries.map(({ address }) => canonicalIp(address) ?? address);
    if (!addresses.includes(localAddress)) continue;
    const scoped = entries.find(entry => entry.family === 'IPv6' && entry.scopeid);
    const linkLocal = addresses.find(address => address.includes(':') && ipScope(address) === 'link-local');
    return { name, addresses, index: scoped?.family === 'IPv6' ? scoped.scopeid : undefined, linkLocal };
  }
  return undefined;
}

/** The best route over that interface, or undefined; pure. */
export function chooseGateway(
  routes: readonly DefaultRoute[],
  owner: OwningInterface,
  family: Family,
): Gateway | undefined {
  const own = routes.filter(
    route =>
      route.interfaceName === owner.name ||
      (route.interfaceAddress !== undefined && owner.addresses.includes(route.interfaceAddress)) ||
      (route.interfaceIndex !== undefined && route.interfaceIndex === owner.index),
  );
  const [best] = own
    .filter(({ gateway }) => familyOf(gateway) === family && isAskable(gateway))
    .sort((a, b) => a.metric - b.metric);
  const zone = process.platform === 'win32' ? String(owner.index ?? '') : owner.name;
  return best && { address: best.gateway, zone };
}

const isAskable = (address: string) =>
  !['unspecified', 'loopback', 'multicast', 'broadcast'].includes(ipScope(address));

/**
 * The gateway of the interface that owns `localAddress`, or undefined: no default route there, a
 * point-to-point link without a next hop, or a system whose routes cannot be read.
 */
export async function findGateway(localAddress: string, signal?: AbortSignal): Promise<Gateway | undefined> {
  const owner = owningInterface(localAddress);
  if (!owner) return undefined;
  const family = familyOf(localAddress);
  try {
    return chooseGateway(await readDefaultRoutes(family, signal), owner, family);
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

async function readDefaultRoutes(family: Family, signal: AbortSignal | undefined): Promise<DefaultRoute[]> {
  if (process.platform === 'linux') {
    const path = family === 4 ? '/proc/net/route' : '/proc/net/ipv6_route';
    const text = await readFile(path, { encoding: 'latin1', signal });
    return family === 4 ? parseLinuxRoutes4(text, endianness() === 'LE') : parseLinuxRoutes6(text);
  }
  if (process.platform === 'win32') {
    const text = await run('route', ['print', `-${family}`], signal);
    return family === 4 ? parseWindowsRoutes4(text) : parseWindowsRoutes6(text);
  }
  return parseNetstatRoutes(
    await run('netstat', ['-rn', '-f', family === 4 ? 'inet' : 'inet6'], signal),
    family,
  );
}

function run(command: string, args: string[], signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: 2000, maxBuffer: 1 << 20, windowsHide: true };
    execFile(command, args, signal ? { ...limits, signal } : limits, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}
