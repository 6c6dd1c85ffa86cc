// PCP on the wire, byte by byte against RFC 6887's figures, and against a gateway's half written apart.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/errors.js';
import {
  decodePcpResponse,
  encodePcpAnnounceRequest,
  encodePcpMapRequest,
} from '../../../src/port-mapping/pcp-message.js';
import { mapped, readPcpRequest, writePcpAnswer } from './fake/gateway-wire.js';

const nonce = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

describe('PCP requests', () => {
  it('ANNOUNCE is a bare header (section 14.1.1)', () => {
    const bytes = encodePcpAnnounceRequest('192.168.1.2').toString('hex');
    expect(bytes).toBe(`02000000${'00000000'}00000000000000000000ffffc0a80102`);
  });

  it('MAP for IPv4, byte by byte (figures 2 and 9)', () => {
    const bytes = encodePcpMapRequest({
      nonce,
      clientAddress: '192.168.1.2',
      lifetimeSeconds: 3600,
      internalPort: 9000,
      externalPort: 9001,
    }).toString('hex');
    expect(bytes).toBe(
      `0201000000000e1000000000000000000000ffffc0a80102` + // header, client address
        `0102030405060708090a0b0c06000000` + // nonce, TCP
        `2328232900000000000000000000ffff00000000`, // ports, no wish for an address, in IPv4
    );
  });

  it('MAP for IPv6 wishes for no address by ::', () => {
    const bytes = encodePcpMapRequest({
      nonce,
      clientAddress: '2001:db8::2',
      lifetimeSeconds: 0,
      internalPort: 1,
      externalPort: 0,
    });
    expect(bytes.subarray(8, 24).toString('hex')).toBe('20010db8000000000000000000000002');
    expect(bytes.subarray(44).toString('hex')).toBe('0'.repeat(32));
  });

  it('reads back in a gateway as it was meant', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.ipV4(),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 1, max: 65535 }),
        fc.integer({ min: 0, max: 65535 }),
        (anyNonce, clientAddress, lifetimeSeconds, internalPort, externalPort) => {
          const map = { nonce: anyNonce, clientAddress, lifetimeSeconds, internalPort, externalPort };
          const request = readPcpRequest(encodePcpMapRequest({ ...map, externalAddress: '203.0.113.7' }));
          expect(request).toEqual({
            version: 2,
            opcode: 1,
            lifetimeSeconds,
            clientAddress: mapped(
              ...(clientAddress.split('.').map(Number) as [number, number, number, number]),
            ),
            nonce: Buffer.from(anyNonce),
            protocol: 6,
            internalPort,
            externalPort,
            externalAddress: mapped(203, 0, 113, 7),
          });
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('PCP responses', () => {
  const map = { nonce, internalPort: 9000, externalPort: 9001, externalAddress: mapped(203, 0, 113, 7) };
  const granted = writePcpAnswer({ opcode: 1, result: 0, lifetimeSeconds: 120, epochSeconds: 77, map });

  it('decodes what any gateway may write', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.integer({ min: 0, max: 65535 }),
        fc.integer({ min: 0, max: 65535 }),
        (resultCode, lifetimeSeconds, epochSeconds, anyNonce, internalPort, externalPort) => {
          const bytes = writePcpAnswer({
            opcode: 1,
            result: resultCode,
            lifetimeSeconds,
            epochSeconds,
            map: { nonce: anyNonce, internalPort, externalPort, externalAddress: mapped(9, 8, 7, 6) },
          });
          expect(decodePcpResponse(bytes)).toEqual({
            opcode: 'map',
            resultCode,
            lifetimeSeconds,
            epochSeconds,
            nonce: Uint8Array.from(anyNonce),
            internalPort,
            externalPort,
            externalAddress: '9.8.7.6',
          });
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('decodes an IPv6 external address in canonical form', () => {
    const externalAddress = Buffer.from('20010db8000000000000000000000009', 'hex');
    const bytes = writePcpAnswer({
      opcode: 1,
      result: 0,
      lifetimeSeconds: 1,
      epochSeconds: 1,
      map: { ...map, externalAddress },
    });
    expect(decodePcpResponse(bytes)).toMatchObject({ externalAddress: '2001:db8::9' });
  });

  it('ignores options after the body', () => {
    const bytes = Buffer.concat([granted, Buffer.from([2, 0, 0, 0])]);
    expect(decodePcpResponse(bytes)).toMatchObject({ externalPort: 9001 });
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'length'],
    ['a NAT-PMP gateway: unsupported version', Buffer.from([0, 129, 0, 1, 0, 0, 0, 9]), 'version'],
    ['a request', encodePcpAnnounceRequest('10.0.0.1'), 'opcode'],
    ['PEER', writePcpAnswer({ opcode: 2 as 1, result: 0, lifetimeSeconds: 0, epochSeconds: 0 }), 'opcode'],
    [
      'MAP without a body',
      writePcpAnswer({ opcode: 1, result: 0, lifetimeSeconds: 0, epochSeconds: 0 }),
      'length',
    ],
    ['not a multiple of 4', Buffer.concat([granted, Buffer.from([0])]), 'length'],
    ['longer than 1100 bytes', Buffer.concat([granted, Buffer.alloc(1044)]), 'length'],
    [
      'a mapping for UDP',
      writePcpAnswer({
        opcode: 1,
        result: 0,
        lifetimeSeconds: 0,
        epochSeconds: 0,
        map: { ...map, protocol: 17 },
      }),
      'map/protocol',
    ],
  ])('refuses %s', (_, bytes, place) => {
    expect(() => decodePcpResponse(bytes)).toThrow(expect.objectContaining({ place }));
  });

  it('refuses every truncation with the typed error, or reads it whole', () => {
    for (let length = 0; length < granted.length; length++)
      expect(() => decodePcpResponse(granted.subarray(0, length))).toThrow(DecodeError);
  });
});
