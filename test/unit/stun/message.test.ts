// The codec as a whole: what is encoded comes back, what must not be seen is not, errors name their place.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, WayleaveError } from '../../../src/errors.js';
import { ATTRIBUTES, attributeName } from '../../../src/stun/attributes.js';
import { encodeMessage, newTransactionId, notUnderstood } from '../../../src/stun/encode.js';
import { ERROR_CODES, stunError } from '../../../src/stun/error-codes.js';
import { verifyIntegrity } from '../../../src/stun/integrity.js';
import { decodeMessage, looksLikeStun } from '../../../src/stun/message.js';
import { COVERED, plan, SEALS } from './arbitrary.js';

const key = Buffer.from('a key');
const request = { class: 'request', method: 'Binding', transactionId: Buffer.alloc(12, 7) } as const;

describe('decode(encode(x)) is x', () => {
  it('for every row of the table', () => {
    expect([...COVERED, ...SEALS].sort()).toEqual(Object.keys(ATTRIBUTES).sort());
  });

  it('for 10,000 random messages', () => {
    fc.assert(
      fc.property(plan, message => {
        const decoded = decodeMessage(encodeMessage(message));
        expect(decoded.method).toBe(message.method);
        expect(decoded.class).toBe(message.class);
        expect(decoded.transactionId).toEqual(message.transactionId);
        expect(decoded.attributes()).toEqual(message.attributes);
      }),
      { numRuns: 10_000 },
    );
  });

  it('sealed with both hashes, for random messages', () => {
    fc.assert(
      fc.property(plan, message => {
        const bytes = encodeMessage({ ...message, integrity: { key, hashes: ['sha1', 'sha256'] } });
        const decoded = decodeMessage(bytes);
        expect(verifyIntegrity(decoded, key, 'sha1')).toBe(true);
        expect(verifyIntegrity(decoded, key, 'sha256')).toBe(true);
        expect(decoded.attributes()).toEqual(message.attributes);
      }),
      { numRuns: 500 },
    );
  });
});

describe('attributes', () => {
  it('behind an integrity attribute are not seen', () => {
    const sealed = encodeMessage({ ...request, integrity: { key } });
    const smuggled = encodeMessage({
      ...request,
      attributes: [
        [0x0008, sealed.subarray(-20)],
        ['USERNAME', 'mallory'],
      ],
    });
    const message = decodeMessage(smuggled);
    expect(message.has('MESSAGE-INTEGRITY')).toBe(true);
    expect(message.get('USERNAME')).toBeUndefined();
    expect(message.getAll('USERNAME')).toEqual([]);
    expect(message.types()).toEqual([0x0008]);
    expect(message.attributes()).toEqual([]);
  });

  it('may be repeated where the RFC says so', () => {
    const peers = [
      { host: '192.0.2.1', port: 1 },
      { host: '2001:db8::1', port: 2 },
    ];
    const bytes = encodeMessage({
      ...request,
      method: 'CreatePermission',
      attributes: peers.map(peer => ['XOR-PEER-ADDRESS', peer] as const),
    });
    expect(decodeMessage(bytes).getAll('XOR-PEER-ADDRESS')).toEqual(peers);
  });

  it('that must be understood and are not are reported, the optional ones not', () => {
    const bytes = encodeMessage({
      ...request,
      attributes: [
        [0x0024, Buffer.alloc(4)],
        [0x8029, Buffer.alloc(8)],
        ['SOFTWARE', 'x'],
        ['REALM', 'y'],
      ],
    });
    expect(notUnderstood(decodeMessage(bytes), type => attributeName(type) !== undefined)).toEqual([0x24]);
    expect(notUnderstood(decodeMessage(bytes), () => false)).toEqual([0x24, 0x14]);
  });

  it('carry the error numbers of the table, class and number apart', () => {
    for (const code of [401, 404, 438, 552]) {
      const bytes = encodeMessage({
        ...request,
        class: 'error',
        attributes: [['ERROR-CODE', { code, reason: 'why' }]],
      });
      expect(decodeMessage(bytes).get('ERROR-CODE')).toEqual({ code, reason: 'why' });
      expect([bytes[26], bytes[27]]).toEqual([Math.floor(code / 100), code % 100]);
    }
    expect(stunError(438)).toEqual({ code: 438, reason: ERROR_CODES[438] });
  });
});

describe('errors name the place', () => {
  const place = (bytes: Buffer, read: (message: ReturnType<typeof decodeMessage>) => unknown = () => {}) => {
    try {
      read(decodeMessage(bytes));
    } catch (error) {
      return error instanceof DecodeError ? error.place : error;
    }
    return undefined;
  };
  const raw = (type: number, value: number[]) =>
    encodeMessage({ ...request, attributes: [[type, Buffer.from(value)]] });

  it('in the header', () => {
    const good = encodeMessage(request);
    expect(place(good)).toBeUndefined();
    expect(place(good.subarray(0, 19))).toBe('header');
    expect(place(Buffer.from(good).fill(0x40, 0, 1))).toBe('header/type');
    expect(place(Buffer.from(good).fill(2, 3, 4))).toBe('header/length');
    expect(place(Buffer.from(good).fill(4, 3, 4))).toBe('header/length');
    expect(place(Buffer.from(good).fill(0, 4, 8))).toBe('header/magic-cookie');
  });

  it('in attributes', () => {
    const long = raw(0x8022, [1, 2, 3, 4]);
    long.writeUInt16BE(5, 22);
    expect(place(long)).toBe('attribute/length');
    expect(place(raw(0x8028, [1, 2, 3, 4]))).toBe('attribute/FINGERPRINT');
    expect(place(raw(0x8028, []))).toBe('attribute/FINGERPRINT/length');
    const family = raw(0x0020, [0, 3, 0, 0, 1, 2, 3, 4]);
    expect(place(family, m => m.get('XOR-MAPPED-ADDRESS'))).toBe('attribute/XOR-MAPPED-ADDRESS/family');
    const cut = raw(0x0020, [0, 2, 0, 0, 1, 2, 3, 4]);
    expect(place(cut, m => m.get('XOR-MAPPED-ADDRESS'))).toBe('attribute/XOR-MAPPED-ADDRESS/length');
    expect(place(raw(9, [0, 0, 7, 1]), m => m.get('ERROR-CODE'))).toBe('attribute/ERROR-CODE/class');
    expect(place(raw(9, [0, 0, 4, 100]), m => m.get('ERROR-CODE'))).toBe('attribute/ERROR-CODE/number');
    expect(place(raw(6, new Array(513).fill(65)), m => m.get('USERNAME'))).toBe('attribute/USERNAME/length');
    const algorithms = raw(0x8002, [0, 2, 0, 9]);
    expect(place(algorithms, m => m.get('PASSWORD-ALGORITHMS'))).toBe(
      'attribute/PASSWORD-ALGORITHMS/parameters',
    );
  });

  it('and a fingerprint must be the last attribute', () => {
    const bytes = encodeMessage({ ...request, fingerprint: true });
    const more = Buffer.concat([bytes, Buffer.from([0x80, 0x22, 0, 0])]);
    more.writeUInt16BE(more.length - 20, 2);
    expect(place(more)).toBe('attribute/FINGERPRINT');
  });
});

describe('encoding', () => {
  const encode = (...attribute: unknown[]) => encodeMessage({ ...request, attributes: [attribute as never] });

  it('refuses values that do not fit', () => {
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: 'localhost', port: 1 })).toThrow(WayleaveError);
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: '1.2.3', port: 1 })).toThrow(WayleaveError);
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: '1.2..3', port: 1 })).toThrow(WayleaveError);
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: '1.2.3.256', port: 1 })).toThrow(WayleaveError);
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: '::g', port: 1 })).toThrow(WayleaveError);
    expect(() => encode('XOR-MAPPED-ADDRESS', { host: '1.2.3.4', port: 65536 })).toThrow(WayleaveError);
    expect(() => encode('LIFETIME', -1)).toThrow(WayleaveError);
    expect(() => encode('ERROR-CODE', { code: 200, reason: '' })).toThrow(WayleaveError);
    expect(() => encode('USERNAME', 'x'.repeat(513))).toThrow(WayleaveError);
    expect(() => encode('NO-SUCH-THING', 1)).toThrow(WayleaveError);
    expect(() => encodeMessage({ ...request, transactionId: Buffer.alloc(11) })).toThrow(WayleaveError);
    const data = ['DATA', Buffer.alloc(40_000)] as const;
    expect(() => encodeMessage({ ...request, attributes: [data, data] })).toThrow(WayleaveError);
  });

  it('draws a new transaction id each time', () => {
    const ids = new Set(Array.from({ length: 2_000 }, () => newTransactionId().toString('hex')));
    expect(ids.size).toBe(2_000);
  });
});

describe('messages of RFC 3489', () => {
  const bytes = encodeMessage({ ...request, transactionId: Buffer.alloc(16, 9) });

  it('have no magic cookie and 16 bytes of id, and are admitted only when asked for', () => {
    expect(() => decodeMessage(bytes)).toThrow(DecodeError);
    const message = decodeMessage(bytes, { classic: true });
    expect(message.classic).toBe(true);
    expect(message.transactionId).toEqual(Buffer.alloc(16, 9));
    expect(message.transactionKey).toHaveLength(16);
    expect(decodeMessage(encodeMessage(request), { classic: true }).classic).toBe(false);
  });

  it('and STUN is told from other traffic by two bits', () => {
    expect(looksLikeStun(bytes)).toBe(true);
    expect(looksLikeStun(Buffer.from('GET / HTTP/1.1 and more'))).toBe(false);
    expect(looksLikeStun(Buffer.alloc(19))).toBe(false);
  });
});
