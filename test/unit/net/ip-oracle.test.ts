// A second opinion: the `ip` package on the same addresses. It is known to be wrong about odd spellings
// (CVE-2024-29415), so it is asked only about well-formed ones; where we differ on purpose, the table says why.
import fc from 'fast-check';
import ip from 'ip';
import { describe, expect, it } from 'vitest';
import { inSamePrefix, ipFromBytes, ipScope } from '../../../src/net/ip-scope.js';

/** Ranges that `ip` calls public and we do not dial as such, with the reason. */
const WE_ARE_STRICTER: readonly (readonly [string, number, string])[] = [
  ['0.0.0.0', 8, 'reaches this very host on many systems'],
  ['100.64.0.0', 10, 'shared address space, RFC 6598: behind a carrier’s NAT'],
  ['192.0.0.0', 24, 'IETF protocol assignments, RFC 6890'],
  ['192.88.99.0', 24, '6to4 relay anycast, deprecated by RFC 7526'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved, and broadcast'],
  [
    '::',
    8,
    'unspecified, IPv4-compatible and -mapped, NAT64 and discard: what they lead to is not what they say',
  ],
  ['100::', 8, 'discard prefix and unassigned'],
  ['200::', 7, 'deprecated (RFC 4048) and used by overlay networks'],
  ['400::', 6, 'unassigned'],
  ['800::', 5, 'unassigned'],
  ['1000::', 4, 'unassigned'],
  ['2001::', 23, 'Teredo and protocol assignments'],
  ['2002::', 16, '6to4 embeds an IPv4 address of anybody’s choice'],
  ['4000::', 2, 'unassigned'],
  ['8000::', 2, 'unassigned'],
  ['c000::', 3, 'unassigned'],
  ['e000::', 4, 'unassigned'],
  ['f000::', 5, 'unassigned'],
  ['f800::', 6, 'unassigned'],
  ['fe00::', 9, 'unassigned'],
  ['fe80::', 10, 'link-local is ten bits long (RFC 4291); ip looks for fe80: only'],
  ['fec0::', 10, 'site-local, deprecated by RFC 3879'],
  ['ff00::', 8, 'multicast'],
];
const listed = (address: string) => WE_ARE_STRICTER.some(([base, bits]) => inSamePrefix(address, base, bits));

/** What differs, or undefined; only well-formed, canonical addresses come here. */
function difference(address: string): string | undefined {
  const ours = ipScope(address);
  const publicHere = ours === 'global';
  if (ip.isPublic(address) === publicHere) return undefined;
  return listed(address) && !publicHere
    ? undefined
    : `${address}: ip says public=${!publicHere}, we say ${ours}`;
}

const any4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const any6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);
const special4 = fc
  .tuple(fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255), any4)
  .map(([first, rest]) => rest.replace(/^\d+/, String(first)));
const special6 = fc
  .tuple(
    fc.constantFrom('::', 'fe80::', 'fc00::', 'fd12::', 'ff02::', '2001:db8::', '2002:', '64:ff9b::'),
    fc.nat(0xffff),
  )
  .map(
    ([prefix, tail]) =>
      (prefix.endsWith('::') ? prefix : `${prefix}${tail.toString(16)}::`) + tail.toString(16),
  )
  .map(text => ipFromBytes(Buffer.from(ip.toBuffer(text))));

describe('against the ip package', () => {
  it('agrees about every kind of well-formed address, but for the list', () => {
    const differences = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(any4, any6, special4, special6), address => {
        const found = difference(address);
        if (found) differences.add(found);
      }),
      { numRuns: 20_000 },
    );
    expect([...differences]).toEqual([]);
  });

  it.each(WE_ARE_STRICTER)('%s/%i: ip calls something in it public, we nothing: %s', (base, bits) => {
    const width = base.includes(':') ? 128 : 32;
    const start = BigInt(`0x${Buffer.from(ip.toBuffer(base)).toString('hex')}`);
    const inside = Array.from({ length: 64 }, (_, i) => {
      const address = start + ((2n ** BigInt(width - bits) - 1n) * BigInt(i)) / 63n;
      return ipFromBytes(Buffer.from(address.toString(16).padStart(width / 4, '0'), 'hex'));
    });
    expect(inside.filter(address => ipScope(address) === 'global')).toEqual([]);
    expect(inside.some(address => ip.isPublic(address))).toBe(true);
  });

  it('agrees which addresses are loopback', () => {
    for (const address of ['127.0.0.1', '127.255.255.254', '::1', '128.0.0.1', '8.8.8.8', '2001:db8::1']) {
      expect(ipScope(address) === 'loopback').toBe(ip.isLoopback(address));
    }
  });

  it('agrees about prefixes of IPv4', () => {
    fc.assert(
      fc.property(any4, any4, fc.integer({ min: 1, max: 32 }), (a, b, bits) => {
        expect(inSamePrefix(a, b, bits)).toBe(ip.cidrSubnet(`${a}/${bits}`).contains(b));
        expect(ip.cidrSubnet(`${a}/${bits}`).contains(a)).toBe(true);
      }),
    );
  });
});
