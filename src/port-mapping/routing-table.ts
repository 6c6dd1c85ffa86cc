// Reads default routes from what each system shows of its routing table: /proc on Linux, `netstat -rn` on
// macOS and the BSDs, `route print` on Windows. Pure text in, routes out; gateway.ts fetches the text.
import { canonicalIp, type Family, ipFromBytes } from '../net/ip-scope.js';

/** A route to everywhere. Each system names the interface in its own way: one of the three is given. */
export interface DefaultRoute {
  /** Next hop, canonical and without a zone. */
  readonly gateway: string;
  readonly interfaceName?: string;
  readonly interfaceAddress?: string;
  readonly interfaceIndex?: number;
  /** The lower one wins. */
  readonly metric: number;
}

const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;
const RTF_REJECT = 0x200;

const columnsOf = (line: string) => line.trim().split(/\s+/);

const isUsable = (flags: number) =>
  (flags & RTF_UP) !== 0 && (flags & RTF_GATEWAY) !== 0 && (flags & RTF_REJECT) === 0;

function bytesOfHex(hex: string, length: number): Uint8Array | undefined {
  return new RegExp(`^[0-9a-fA-F]{${length * 2}}$`).test(hex)
    ? Uint8Array.from(Buffer.from(hex, 'hex'))
    : undefined;
}

/** `/proc/net/route`: addresses are hexadecimal in the machine's own byte order. */
export function parseLinuxRoutes4(text: string, littleEndian = true): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [name, destination, hop, flags, , , metric, mask] = columnsOf(line);
    if (!name || destination !== '00000000' || mask !== '00000000') continue;
    const bytes = bytesOfHex(hop ?? '', 4);
    if (!bytes || !isUsable(Number.parseInt(flags ?? '', 16))) continue;
    const gateway = ipFromBytes(littleEndian ? bytes.reverse() : bytes);
    routes.push({ gateway, interfaceName: name, metric: Number(metric) || 0 });
  }
  return routes;
}

/** `/proc/net/ipv6_route`: addresses, prefix length and metric in hexadecimal, network order. */
export function parseLinuxRoutes6(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split('\n')) {
    const [destination, prefix, , sourcePrefix, hop, metric, , , flags, name] = columnsOf(line);
    // A route for some sources only (source-specific routing) is taken as well: home routers announce such.
    if (!name || !/^0{32}$/.test(destination ?? '') || prefix !== '00' || !sourcePrefix) continue;
    const bytes = bytesOfHex(hop ?? '', 16);
    if (!bytes || !isUsable(Number.parseInt(flags ?? '', 16))) continue;
    routes.push({
      gateway: ipFromBytes(bytes),
      interfaceName: name,
      metric: Number.parseInt(metric ?? '', 16) || 0,
    });
  }
  return routes;
}

/** `netstat -rn -f inet` and `-f inet6` of macOS, FreeBSD, OpenBSD. Listed in order of preference. */
export function parseNetstatRoutes(text: string, family: Family): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  let interfaceColumn = -1;
  for (const line of text.split('\n')) {
    const columns = columnsOf(line);
    if (columns[0] === 'Destination')
      interfaceColumn = columns.findIndex(name => /^(Netif|Iface)$/.test(name));
    if (columns[0] !== 'default' && columns[0] !== '0.0.0.0/0' && columns[0] !== '::/0') continue;
    const [hop = '', zone] = (columns[1] ?? '').split('%');
    const gateway = canonicalIp(hop);
    const name = zone ?? columns[interfaceColumn];
    if (!gateway || !name || gateway.includes(':') !== (family === 6)) continue;
    routes.push({ gateway, interfaceName: name, metric: routes.length });
  }
  return routes;
}

/** `route print -4` of Windows: destination, mask, gateway, interface address, metric; in any language. */
export function parseWindowsRoutes4(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split('\n')) {
    const [destination, mask, hop = '', own = '', metric] = columnsOf(line);
    if (destination !== '0.0.0.0' || mask !== '0.0.0.0') continue;
    const gateway = canonicalIp(hop); // `On-link` is no gateway
    const interfaceAddress = canonicalIp(own);
    if (gateway && interfaceAddress) routes.push({ gateway, interfaceAddress, metric: Number(metric) || 0 });
  }
  return routes;
}

/** `route print -6` of Windows: interface index, metric, destination, gateway (a long one on the next line). */
export function parseWindowsRoutes6(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const [, index, metric, hop] of text.matchAll(/^\s*(\d+)\s+(\d+)\s+::\/0\s+(\S+)\s*$/gm)) {
    const gateway = canonicalIp(hop ?? '');
    if (gateway) routes.push({ gateway, interfaceIndex: Number(index), metric: Number(metric) });
  }
  return routes;
}
