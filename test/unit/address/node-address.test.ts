import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAddress, encodeAddress } from '../../../src/address/address-codec.js';
import { NodeAddress } from '../../../src/address/node-address.js';
import { AddressError } from '../../../src/errors.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { machineTag } from '../../../src/net/machine.js';
import {
  anyFields,
  anyOwnFields,
  HOUR,
  identity,
  interfaceAt,
  measured,
  NOW,
  own,
  signed,
} from './samples.js';

const MINUTE = 60_000;

/** All that an address says, as plain data. */
const told = (address: NodeAddress) => ({
  id: address.id,
  sealingKey: address.sealingKey.toString('hex'),
  interfaces: address.interfaces,
  servers: address.servers,
  capabilities: address.capabilities,
  issuedAt: address.issuedAt.getTime(),
  expiresAt: address.expiresAt.getTime(),
  version: address.version,
});

describe('an address', () => {
  it('says after the trip what it said before: text, bytes and fields', () => {
    const address = signed(measured());
    const read = NodeAddress.parse(address.toString(), NOW);
    expect(told(read)).toEqual(told(address));
    expect(read.interfaces).toEqual(measured().interfaces);
    expect(read.id).toBe(identity.id);
    expect(read.sealingKey.equals(identity.sealingPublicKey)).toBe(true);
    expect(read.version).toBe('1.0');
    expect(read.toString()).toBe(address.toString());
    expect(NodeAddress.parse(new Uint8Array(address.toBytes()), NOW).toString()).toBe(address.toString());
    expect(`${address}`).toMatch(/^wl1[A-Za-z0-9_-]+$/);
  });

  it('of two dual-stack interfaces, everything measured, is under 700 characters', () => {
    const { length } = signed(measured()).toString();
    console.log(`      two dual-stack interfaces, everything measured: ${length} characters`);
    expect(length).toBeLessThan(700);
    expect(length).toBeGreaterThan(400); // it does hold all that
  });

  it('is published as others will read it: seconds, percent, up to 255 samples', () => {
    const tcp = { ...measured().interfaces[0]!.tcp, confidence: 0.12345, samples: 1000 };
    const address = signed({ issuedAt: NOW + 999, interfaces: [interfaceAt('10.0.0.1', { tcp })] });
    expect(address.issuedAt.getTime()).toBe(NOW);
    expect(address.interfaces[0]!.tcp).toMatchObject({ confidence: 0.12, samples: 255 });
    expect(told(NodeAddress.parse(address.toString(), NOW))).toEqual(told(address));
  });

  it('gives away copies: nobody changes it from outside', () => {
    const address = signed();
    const text = address.toString();
    address.toBytes().fill(0);
    address.sealingKey.fill(0);
    expect(address.toString()).toBe(text);
    expect(address.sealingKey.equals(identity.sealingPublicKey)).toBe(true);
    const source = new Uint8Array(address.toBytes());
    const read = NodeAddress.parse(source, NOW);
    source.fill(0);
    expect(read.toString()).toBe(text);
    expect(read.sealingKey.equals(identity.sealingPublicKey)).toBe(true);
  });

  it('knows its own machine, and no other', () => {
    expect(signed({ machine: machineTag(identity.id) }).onThisMachine).toBe(true);
    expect(signed({ machine: machineTag(createIdentity().id) }).onThisMachine).toBe(false);
    expect(signed({ machine: null }).onThisMachine).toBe(false);
  });
});

describe('decode(encode(x)) = x, for 10,000 random valid addresses each (security.md row 5)', () => {
  it('signed, as text', () => {
    const keys = { id: identity.id, sealingKey: identity.sealingPublicKey.toString('hex') };
    fc.assert(
      fc.property(anyOwnFields, fields => {
        const address = NodeAddress.sign(identity, fields);
        const read = NodeAddress.parse(address.toString(), fields.issuedAt);
        const { machine, ...shown } = fields;
        deepStrictEqual(told(read), { ...shown, ...keys, version: '1.0' });
        deepStrictEqual(decodeAddress(read.toBytes().subarray(0, -64)).machine, machine);
        expect(read.toString()).toBe(address.toString());
      }),
      { numRuns: 10_000 },
    );
  }, 120_000);

  it('of this and later minor versions, with unknown fields, as bytes', () => {
    fc.assert(
      fc.property(anyFields, fields => {
        const bytes = encodeAddress(fields);
        const read = decodeAddress(bytes);
        deepStrictEqual(read, fields);
        expect(encodeAddress(read).equals(bytes)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  }, 120_000);
});

describe('clocks (security.md row 25)', () => {
  const text = signed().toString();
  const end = NOW + 24 * HOUR;
  it.each([
    ['10 minutes before it was issued', NOW - 10 * MINUTE],
    ['15 minutes before it was issued', NOW - 15 * MINUTE],
    ['10 minutes after it expired', end + 10 * MINUTE],
    ['15 minutes after it expired', end + 15 * MINUTE],
  ])('it is valid %s', (_, now) => expect(NodeAddress.parse(text, now).id).toBe(identity.id));

  it.each([
    ['16 minutes before it was issued', NOW - 16 * MINUTE, 'bad-address', 'issuedAt'],
    ['16 minutes after it expired', end + 16 * MINUTE, 'address-expired', 'expiresAt'],
    ['a year after it expired', end + 8760 * HOUR, 'address-expired', 'expiresAt'],
  ])('it is not valid %s', (_, now, code, field) => {
    expect(() => NodeAddress.parse(text, now)).toThrow(expect.objectContaining({ code, field }));
  });

  it('its signature is checked first: a forged old address is bad, not expired', () => {
    const forged = signed().toBytes();
    forged[forged.length - 1]! ^= 1;
    expect(() => NodeAddress.parse(forged, end + HOUR)).toThrow(
      expect.objectContaining({ code: 'bad-address' }),
    );
  });
});

describe('what cannot be signed', () => {
  const one = interfaceAt('192.168.1.23');
  it.each([
    ['seventeen interfaces', 'interfaces', { interfaces: Array.from({ length: 17 }, () => one) }],
    ['five servers', 'servers', { servers: Array.from({ length: 5 }, () => 'ws://a.example') }],
    ['a name for an address', 'interfaces/0/address', { interfaces: [{ ...one, address: 'localhost' }] }],
    ['an odd spelling', 'interfaces/0/address', { interfaces: [{ ...one, address: '192.168.001.023' }] }],
    ['a family that is another', 'interfaces/0/address', { interfaces: [{ ...one, family: 6 as const }] }],
    ['a prefix of 33 bits', 'interfaces/0/prefix', { interfaces: [{ ...one, prefix: 33 }] }],
    ['port 0', 'interfaces/0/port', { interfaces: [{ ...one, port: 0 }] }],
    ['port 65536', 'interfaces/0/port', { interfaces: [{ ...one, port: 65536 }] }],
    [
      'external of another family',
      'interfaces/0/external',
      { interfaces: [{ ...one, external: { host: '::1', port: 1 } }] },
    ],
    ['an http server', 'servers/0', { servers: ['http://a.example'] }],
    ['a server with credentials', 'servers/0', { servers: ['wss://user:secret@a.example'] }],
    ['a server that moves the cursor', 'servers/0', { servers: ['ws://a.example/\u001b[2J'] }],
    ['a server of two lines', 'servers/0', { servers: ['ws://a.exam\nple'] }],
    ['a server with a long name', 'servers/0', { servers: [`ws://a.example/${'x'.repeat(256)}`] }],
    ['an end before the beginning', 'expiresAt', { expiresAt: NOW - 1 }],
    ['an end beyond five bytes of seconds', 'expiresAt', { expiresAt: 2 ** 40 * 1000 }],
    ['no time', 'issuedAt', { issuedAt: Number.NaN }],
    ['half a machine tag', 'machine', { machine: Buffer.alloc(4) }],
  ])('%s', (_, field, change) => {
    const sign = () => NodeAddress.sign(identity, own(change));
    expect(sign).toThrow(AddressError);
    expect(sign).toThrow(expect.objectContaining({ field, code: 'bad-address' }));
  });
});
