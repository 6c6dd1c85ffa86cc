import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalIp,
  familyOf,
  inSamePrefix,
  ipBytes,
  ipFromBytes,
  ipScope,
  unmappedIp,
} from '../../../src/net/ip-scope.js';

const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // runs of zeros are what abbreviation is about
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
    .map(list => Uint8Array.from(list)),
);

describe('scope', () => {
  // The edges of every range: the last address before, the first and the last within, the first behind.
  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.0.0.1', 'reserved'],
    ['0.255.255.255', 'reserved'],
    ['1.0.0.0', 'global'],
    ['9.255.255.255', 'global'],
    ['10.0.0.0', 'private'],
    ['10.255.255.255', 'private'],
    ['11.0.0.0', 'global'],
    ['100.63.255.255', 'global'],
    ['100.64.0.0', 'shared'],
    ['100.127.255.255', 'shared'],
    ['100.128.0.0', 'global'],
    ['126.255.255.255', 'global'],
    ['127.0.0.0', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['128.0.0.0', 'global'],
    ['169.253.255.255', 'global'],
    ['169.254.0.0', 'link-local'],
    ['169.254.169.254', 'link-local'], // the metadata service of many clouds
    ['169.255.0.0', 'global'],
    ['172.15.255.255', 'global'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'global'],
    ['191.255.255.255', 'global'],
    ['192.0.0.255', 'reserved'],
    ['192.0.1.0', 'global'],
    ['192.88.99.1', 'reserved'],
    ['192.168.0.0', 'private'],
    ['192.168.255.255', 'private'],
    ['192.169.0.0', 'global'],
    ['223.255.255.255', 'global'],
    ['224.0.0.0', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.0', 'reserved'],
    ['255.255.255.254', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::2', 'reserved'],
    ['::127.0.0.1', 'reserved'],
    ['::ffff:127.0.0.1', 'reserved'],
    ['::ffff:1.2.3.4', 'reserved'],
    ['64:ff9b::7f00:1', 'reserved'],
    ['64:ff9b::8.8.8.8', 'reserved'],
    ['64:ff9b:1::1', 'reserved'],
    ['100::1', 'reserved'],
    ['1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved'],
    ['2000::', 'global'],
    ['2001::1', 'reserved'], // Teredo
    ['2001:1ff:ffff::', 'reserved'],
    ['2001:200::', 'global'],
    ['2001:ffff::', 'global'],
    ['2002:7f00:1::', 'reserved'],
    ['2002:808:808::1', 'reserved'],
    ['2003::', 'global'],
    ['2a00:1450::1', 'global'],
    ['3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'global'],
    ['4000::', 'reserved'],
    ['5f00::1', 'reserved'],
    ['fbff::1', 'reserved'],
    ['fc00::', 'private'],
    ['fdff:ffff::1', 'private'],
    ['fe00::', 'reserved'],
    ['fe80::1', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'reserved'],
    ['ff00::', 'multicast'],
    ['ff02::1', 'multicast'],
  ])('%s is %s', (address, scope) => expect(ipScope(address)).toBe(scope));

  // Documentation and benchmark ranges: nothing lives there, and laboratories need them.
  it.each([
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '198.18.0.1',
    '198.19.255.255',
    '2001:db8::1',
    '3fff::1',
  ])('%s counts as global', address => expect(ipScope(address)).toBe('global'));

  it.each(['', 'localhost', '127.1', '0x7f.1', '1.2.3.4%eth0', 'fe80::1%eth0', '1.2.3.4 '])(
    '%j is no address: reserved',
    text => expect(ipScope(text)).toBe('reserved'),
  );
});

describe('text and bytes', () => {
  it('go there and back, in the one spelling', () => {
    fc.assert(
      fc.property(anyBytes, bytes => {
        const text = ipFromBytes(bytes);
        expect(ipBytes(text)).toEqual([...bytes]);
        expect(canonicalIp(text)).toBe(text);
        expect(familyOf(text)).toBe(bytes.length === 4 ? 4 : 6);
      }),
      { numRuns: 5000 },
    );
  });

  it('never throw, whatever the text', () => {
    const piece = fc.constantFrom(
      '::',
      ':',
      '.',
      '0',
      '1',
      'ffff',
      'fe80',
      '127.0.0.1',
      '1.2.3.4',
      '%',
      '0x',
      '256',
      ' ',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
    );
    fc.assert(
      fc.property(text, text => {
        const canonical = canonicalIp(text);
        if (canonical !== undefined) expect(canonicalIp(canonical)).toBe(canonical);
        ipScope(text);
        unmappedIp(text);
      }),
      { numRuns: 20_000 },
    );
  });

  // RFC 5952 section 4.
  it.each([
    ['2001:0DB8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1.2.3.4', '::102:304'],
    ['::FFFF:1.2.3.4', '::ffff:102:304'],
    ['64:ff9b::255.0.255.0', '64:ff9b::ff00:ff00'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
    ['192.168.0.1', '192.168.0.1'],
  ])('%s is written %s', (text, canonical) => expect(canonicalIp(text)).toBe(canonical));
});

describe('what sockets call their peers', () => {
  it.each([
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['1.2.3.4', '1.2.3.4'],
    ['2001:DB8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['::1.2.3.4', '::102:304'], // IPv4-compatible is not IPv4-mapped
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['a name', 'a name'],
  ])('%s is %s', (text, canonical) => expect(unmappedIp(text)).toBe(canonical));
});

describe('prefixes', () => {
  it.each([
    ['192.168.1.1', '192.168.1.254', 24, true],
    ['192.168.1.1', '192.168.2.1', 24, false],
    ['192.168.1.1', '192.168.2.1', 22, true],
    ['10.0.0.127', '10.0.0.128', 25, false],
    ['10.0.0.1', '10.0.0.1', 32, true],
    ['10.0.0.1', '10.0.0.2', 32, false],
    ['1.2.3.4', '200.2.3.4', 0, true],
    ['2001:db8::1', '2001:db8::ffff', 64, true],
    ['2001:db8:0:1::1', '2001:db8::1', 64, false],
    ['2001:db8::1', '2001:db8::1', 128, true],
    ['::ffff:10.0.0.1', '10.0.0.1', 0, false],
    ['no address', '10.0.0.1', 0, false],
  ])('%s and %s share %i bits: %s', (a, b, bits, shared) => {
    expect(inSamePrefix(a, b, bits)).toBe(shared);
    expect(inSamePrefix(b, a, bits)).toBe(shared);
  });

  it('agree with the addresses as numbers', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    const bytesOf = (value: bigint) => [...Buffer.from(value.toString(16).padStart(32, '0'), 'hex')];
    fc.assert(
      fc.property(
        number,
        fc.integer({ min: 0, max: 127 }),
        fc.integer({ min: 0, max: 128 }),
        (a, flip, bits) => {
          const b = a ^ (1n << BigInt(127 - flip));
          expect(inSamePrefix(ipFromBytes(bytesOf(a)), ipFromBytes(bytesOf(b)), bits)).toBe(flip >= bits);
        },
      ),
    );
  });
});
