// What kind of place an IP address is (RFC 6890 and IANA's special-purpose registries, as one table).
// Documentation and benchmark ranges count as global: nothing lives there, and laboratories need them.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Family = 4 | 6;

export type IpScope =
  | 'unspecified'
  | 'loopback'
  | 'link-local'
  | 'private' // RFC 1918, and unique local IPv6 (RFC 4193)
  | 'shared' // RFC 6598: between a carrier's NAT and its customers
  | 'multicast'
  | 'broadcast'
  | 'reserved' // anything that no peer can have: translated, tunnelled, deprecated or unassigned
  | 'global';

// First match wins.
const RANGES_V4: readonly (readonly [string, IpScope])[] = [
  ['0.0.0.0/32', 'unspecified'],
  ['0.0.0.0/8', 'reserved'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'private'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['240.0.0.0/4', 'reserved'],
  ['0.0.0.0/0', 'global'],
];

const RANGES_V6: readonly (readonly [string, IpScope])[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link-local'],
  ['fc00::/7', 'private'],
  ['ff00::/8', 'multicast'],
  ['2001::/23', 'reserved'], // IETF protocol assignments, Teredo among them
  ['2002::/16', 'reserved'], // 6to4 embeds an IPv4 address of anybody's choice
  ['2000::/3', 'global'],
  ['::/0', 'reserved'], // IPv4-mapped and -compatible, NAT64, site-local, discard, unassigned
];

const parsed = (rows: readonly (readonly [string, IpScope])[]) =>
  rows.map(([cidr, scope]) => {
    const [address, bits] = ipaddr.parseCIDR(cidr);
    return { bytes: address.toByteArray(), bits, scope };
  });
const TABLE = { 4: parsed(RANGES_V4), 6: parsed(RANGES_V6) };

/** The address as bytes (4 or 16), or undefined if the text is not a plain IP literal. No zones, no octal. */
export function ipBytes(text: string): number[] | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  // ipaddr.js reads `::1.2.3.4` (RFC 4291, 2.5.5.1) as `::ffff:1.2.3.4`: hand it no dotted tail
  return ipaddr.parse(family === 6 ? text.replace(DOTTED_TAIL, hexTail) : text).toByteArray();
}

const DOTTED_TAIL = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/;

function hexTail(_: string, ...quad: string[]): string {
  const [a, b, c, d] = quad.map(Number) as [number, number, number, number];
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** The one spelling of an address (RFC 5952), or undefined if the text is not a plain IP literal. */
export function canonicalIp(text: string): string | undefined {
  const bytes = ipBytes(text);
  return bytes && ipFromBytes(bytes);
}

/** The canonical text of 4 or 16 bytes. */
export function ipFromBytes(bytes: readonly number[] | Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const address = ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6;
  return address.toRFC5952String();
}

/** What a socket calls its peer, in canonical form: dual-stack sockets write IPv4 as `::ffff:1.2.3.4`. */
export function unmappedIp(text: string): string {
  const bytes = ipBytes(text.split('%')[0] ?? '');
  if (!bytes) return text;
  const mapped = bytes.length === 16 && bytes.slice(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 255));
  return ipFromBytes(mapped ? bytes.slice(12) : bytes);
}

export function familyOf(ip: string): Family {
  return ip.includes(':') ? 6 : 4;
}

/** The scope of an IP literal; `reserved` for anything that is not one. */
export function ipScope(ip: string): IpScope {
  const bytes = ipBytes(ip);
  if (!bytes) return 'reserved';
  const row = TABLE[bytes.length === 4 ? 4 : 6].find(range => samePrefix(bytes, range.bytes, range.bits));
  return row?.scope ?? 'reserved';
}

/** Whether both addresses share their first `bits` bits. Different families never do. */
export function inSamePrefix(a: string, b: string, bits: number): boolean {
  const left = ipBytes(a);
  const right = ipBytes(b);
  return left !== undefined && right !== undefined && samePrefix(left, right, bits);
}

function samePrefix(a: readonly number[], b: readonly number[], bits: number): boolean {
  if (a.length !== b.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return mask === 0 || (a[whole]! & mask) === (b[whole]! & mask);
}
