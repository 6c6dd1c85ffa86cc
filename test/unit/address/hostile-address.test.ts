// security.md rows 3, 4 and 7, one by one; test/fuzz/address.test.ts does it by the hundred thousand.
import { describe, expect, it } from 'vitest';
import { encodeAddress } from '../../../src/address/address-codec.js';
import type { AddressFields } from '../../../src/address/address-schema.js';
import { NodeAddress } from '../../../src/address/node-address.js';
import { AddressError } from '../../../src/errors.js';
import { signFor } from '../../../src/identity/keys.js';
import { identity, interfaceAt, measured, NOW, own, signed } from './samples.js';

const parse = (source: string | Uint8Array) => NodeAddress.parse(source, NOW);
const parsing = (source: string | Uint8Array) => () => parse(source);
const errorOf = (source: string | Uint8Array): AddressError => {
  try {
    parse(source);
  } catch (error) {
    expect(error).toBeInstanceOf(AddressError);
    return error as AddressError;
  }
  throw new Error('it was accepted');
};

const field = (tag: number, ...value: number[]) => Buffer.from([tag, value.length, ...value]);
const sealedKey = () => Buffer.concat([Buffer.from([2, 32]), identity.sealingPublicKey]);
const head = (minor = 0) => Buffer.concat([Buffer.from([1, minor, 1, 32]), identity.publicKey]);
const time = (tag: number, ms: number) => {
  const value = Buffer.alloc(5);
  value.writeUIntBE(ms / 1000, 0, 5);
  return field(tag, ...value);
};
const times = () => Buffer.concat([time(3, NOW), time(4, NOW + 3_600_000)]);
const base = (minor = 0) => Buffer.concat([head(minor), sealedKey(), times(), field(6, 0)]);
/** Whatever the bytes are, the owner has signed them. */
const sign = (...parts: Uint8Array[]) => {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([bytes, signFor('address/1', identity, bytes)]);
};
const iface = (...parts: Uint8Array[]) => field(8, ...Buffer.concat([field(1, 24, 10, 0, 0, 1), ...parts]));

describe('altered on the way (row 4)', () => {
  const whole = signed(measured());

  it('every truncation is refused, of the bytes and of the text', () => {
    const bytes = whole.toBytes();
    const text = whole.toString();
    for (let length = 0; length < bytes.length; length++) {
      errorOf(bytes.subarray(0, length));
      errorOf(bytes.subarray(bytes.length - length));
    }
    for (let length = 0; length < text.length; length++) errorOf(text.slice(0, length));
    expect(parse(bytes).toString()).toBe(text);
  });

  it('every flipped bit is refused', () => {
    const bytes = whole.toBytes();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      errorOf(bytes);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(parse(bytes).id).toBe(identity.id);
  });

  it('every other character in place of one is refused', () => {
    const text = whole.toString();
    for (let at = 0; at < text.length; at++) {
      for (const other of ['A', '_', '=', '+', ' ', 'é', '\0']) {
        if (text[at] !== other) errorOf(text.slice(0, at) + other + text.slice(at + 1));
      }
    }
  });

  it.each(['', 'wl1', 'wl2', 'WL1', 'hello', 'wl1====', 'wl1\n', '\u0000', 'wl1💥', 'wl', '=wl1'])(
    '%j is refused',
    text => expect(parsing(text)).toThrow(AddressError),
  );

  it.each([' ', '\n', '=', 'A', '\u200b'])('%j added at an end is refused', extra => {
    expect(parsing(whole.toString() + extra)).toThrow(AddressError);
    expect(parsing(extra + whole.toString())).toThrow(AddressError);
  });

  it.each([undefined, null, 7, {}, [1], new ArrayBuffer(8), () => {}])(
    '%o is neither text nor bytes',
    value => {
      expect(parsing(value as never)).toThrow(AddressError);
    },
  );
});

describe('too large (row 7)', () => {
  it('4,096 characters are read, one more is not', () => {
    const text = `wl1${'A'.repeat(4093)}`;
    expect(errorOf(text).message).not.toMatch(/long/);
    expect(errorOf(`${text}A`)).toMatchObject({
      field: 'address',
      message: expect.stringMatching(/over 4096/),
    });
  });

  it('a gigantic one is refused before anything of its size is allocated', () => {
    const bytes = new Uint8Array(64 * 1024 * 1024);
    const text = 'wl1'.padEnd(64 * 1024 * 1024, 'A');
    const before = process.memoryUsage();
    expect(errorOf(bytes).field).toBe('address');
    expect(errorOf(text).field).toBe('address');
    const after = process.memoryUsage();
    const grown = after.arrayBuffers - before.arrayBuffers;
    expect(grown).toBeLessThan(1024 * 1024);
  });

  it('the largest that we can sign ourselves is within the bound', () => {
    const [four, six] = measured().interfaces;
    const server = `wss://${'a'.repeat(60)}.example/`.padEnd(256, 'x');
    const interfaces = Array.from({ length: 16 }, () => ({ ...six!, mapping: four!.mapping }));
    const text = signed({ ...measured(), interfaces, servers: [server, server, server, server] }).toString();
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(parse(text).interfaces).toHaveLength(16);
  });

  it('and one that would not be is not signed', () => {
    const unknownFields = [{ tag: 9, value: new Uint8Array(4000) }];
    expect(() => signed({ interfaces: [interfaceAt('10.0.0.1', { unknownFields })] })).toThrow(AddressError);
  });

  it.each([
    ['32767 bytes', [9, 0xff, 0xff]],
    ['127 bytes', [9, 127]],
    ['two bytes, of which there is one', [9, 2, 0]],
    ['no length', [9]],
    ['half a length', [9, 0x81]],
  ])('a field that declares %s', (_, bytes) => {
    expect(errorOf(sign(base(1), Buffer.from(bytes))).message).toMatch(/cut off|long form/);
  });
});

describe('signed by its owner and wrong all the same (row 3)', () => {
  it('the twin: these bytes are an address', () => {
    const address = parse(sign(base(), field(7, ...Buffer.from('ws://a.example')), iface(field(2, 0, 80))));
    expect(address.interfaces).toEqual([interfaceAt('10.0.0.1', { port: 80 })]);
    expect(address.servers).toEqual(['ws://a.example']);
  });

  it.each([
    ['another major version', 'version', sign(Buffer.from([2]), base().subarray(1))],
    ['no id', 'id', sign(Buffer.from([1, 0]), sealedKey(), times())],
    ['no sealing key', 'sealingKey', sign(head(), times())],
    ['no time of issue', 'issuedAt', sign(head(), sealedKey(), time(4, NOW))],
    ['no expiry', 'expiresAt', sign(head(), sealedKey(), time(3, NOW))],
    ['an id of 31 bytes', 'id', sign(Buffer.from([1, 0]), field(1, ...identity.publicKey.subarray(1)))],
    ['two ids', 'id', sign(head(), head().subarray(2))],
    ['fields out of order', 'issuedAt', sign(base(), time(3, NOW))],
    ['tag 0', 'field 0', sign(base(), field(0))],
    ['an unknown field', 'field 9', sign(base(), field(9, 1))],
    ['a length in a longer form than it needs', 'servers', sign(base(), Buffer.from([7, 0x80, 1, 65]))],
    ['text that is not UTF-8', 'servers', sign(base(), field(7, 0xff, 0xfe))],
    ['a server of the wrong kind', 'servers/0', sign(base(), field(7, ...Buffer.from('file:///etc/passwd')))],
    ['a capability nobody knows', 'capabilities', sign(base().subarray(0, -1), Buffer.from([0x80]))],
    ['an interface without an address', 'interfaces', sign(base(), field(8, ...field(2, 0, 80)))],
    ['an empty interface', 'interfaces', sign(base(), field(8))],
    ['an address of 5 bytes', 'interfaces/address', sign(base(), field(8, ...field(1, 24, 1, 2, 3, 4, 5)))],
    ['a prefix of 33 bits', 'interfaces/0/prefix', sign(base(), field(8, ...field(1, 33, 10, 0, 0, 1)))],
    ['port 0', 'interfaces/0/port', sign(base(), iface(field(2, 0, 0)))],
    ['a port of 3 bytes', 'interfaces/port', sign(base(), iface(field(2, 0, 0, 80)))],
    [
      'an external address of the other family',
      'interfaces/0/external',
      sign(base(), iface(field(3, ...Buffer.alloc(18, 1)))),
    ],
    ['a mapping nobody knows', 'interfaces/mapping', sign(base(), iface(field(4, 0x7f)))],
    ['a kind of NAT nobody knows', 'interfaces/tcp', sign(base(), iface(field(5, 7, 0, 0, 0, 1, 50)))],
    [
      'hairpinning neither yes nor no',
      'interfaces/tcp',
      sign(base(), iface(field(5, 1, 0b1100, 0, 0, 1, 50))),
    ],
    ['spare bits', 'interfaces/tcp', sign(base(), iface(field(5, 0x81, 0, 0, 0, 1, 50)))],
    ['a delta without its pattern', 'interfaces/udp', sign(base(), iface(field(6, 1, 1, 0, 5, 1, 50)))],
    ['a confidence of 101 percent', 'interfaces/udp', sign(base(), iface(field(6, 1, 0, 0, 0, 1, 101)))],
    ['an unknown field in an interface', 'interfaces/field 7', sign(base(), iface(field(7)))],
    ['seventeen interfaces', 'interfaces', sign(base(), ...Array.from({ length: 17 }, () => iface()))],
    [
      'five servers',
      'servers',
      sign(base(), ...Array.from({ length: 5 }, () => field(7, ...Buffer.from('ws://a')))),
    ],
    ['nothing but a signature', 'address', sign()],
    ['nothing but a version', 'id', sign(Buffer.from([1, 0]))],
  ])('%s: names %s', (_, name, bytes) => {
    expect(errorOf(bytes).field).toBe(name);
    expect(errorOf(bytes).message.startsWith(`${name}: `)).toBe(true);
  });

  it('says nothing of what a stranger wrote, so that nothing reaches a terminal', () => {
    const { message } = errorOf(sign(base(), field(7, ...Buffer.from('ws://a/\u001b]0;owned\u0007'))));
    expect(message).toMatch(/^servers\/0: [ -~]*$/);
    expect(message).not.toContain('owned');
  });

  it('is not believed with the signature of somebody else, or one made for another purpose', () => {
    const bytes = base();
    const forSomethingElse = signFor('sealed/1', identity, bytes);
    expect(errorOf(Buffer.concat([bytes, forSomethingElse])).field).toBe('signature');
    const other = signed({}, undefined);
    expect(errorOf(Buffer.concat([bytes, other.toBytes().subarray(-64)])).field).toBe('signature');
  });
});

describe('a later minor version', () => {
  const fields = (minor: number, more: Partial<AddressFields> = {}): AddressFields => ({
    ...own(),
    minor,
    id: identity.id,
    sealingKey: identity.sealingPublicKey,
    unknownFields: [{ tag: 200, value: Buffer.from('tomorrow') }],
    interfaces: [interfaceAt('10.0.0.1', { unknownFields: [{ tag: 99, value: Buffer.alloc(300, 1) }] })],
    ...more,
  });

  it('is read, verified and passed on unaltered, with fields that we do not know', () => {
    const bytes = sign(encodeAddress(fields(1)));
    const address = parse(bytes);
    expect(address.version).toBe('1.1');
    expect(address.interfaces[0]!.address).toBe('10.0.0.1');
    expect(address.toString()).toBe(`wl1${bytes.toString('base64url')}`);
    expect(parse(address.toString()).toBytes().equals(bytes)).toBe(true);
    expect(parse(sign(encodeAddress(fields(255)))).version).toBe('1.255');
  });

  it('is protected by its signature in those fields, too', () => {
    const bytes = sign(encodeAddress(fields(1)));
    bytes[bytes.indexOf('tomorrow')]! ^= 1;
    expect(errorOf(bytes).field).toBe('signature');
  });

  it('has the same fields refused in version 1.0', () => {
    expect(errorOf(sign(encodeAddress(fields(0)))).field).toBe('interfaces/field 99');
    expect(errorOf(sign(encodeAddress(fields(0, { interfaces: [] })))).field).toBe('field 200');
  });

  it('has words that we do not know read as unknown', () => {
    const tomorrow = field(5, 0b1110_0111, 0b1111_1101, 0, 0, 9, 80);
    const bytes = sign(base(1), iface(field(4, 0x80 | 77), tomorrow));
    const [read] = parse(bytes).interfaces;
    expect(read!.mapping).toEqual({ by: 'unknown', proved: true });
    expect(read!.tcp).toMatchObject({
      kind: 'unknown',
      filtering: 'address-and-port-dependent',
      hairpinning: null,
      unsolicitedSyn: 'unknown',
      samples: 9,
    });
    expect(parse(sign(base(1).subarray(0, -1), Buffer.from([0b1000_0001]))).capabilities).toEqual([
      'reverse',
    ]);
  });

  it('is still held to what this version knows', () => {
    expect(errorOf(sign(base(1), iface(field(2, 0, 0)))).field).toBe('interfaces/0/port');
    expect(errorOf(sign(base(1), field(200), field(199))).field).toBe('field 199');
  });
});
