// NAT-PMP on the wire, byte by byte against RFC 6886 section 3, and against a gateway's half written apart.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/errors.js';
import {
  decodeNatPmpResponse,
  encodeNatPmpAddressRequest,
  encodeNatPmpMapRequest,
} from '../../../src/port-mapping/nat-pmp-message.js';
import { readNatPmpRequest, writeNatPmpAddress, writeNatPmpMapping } from './fake/gateway-wire.js';

const port = fc.integer({ min: 0, max: 65535 });
const seconds = fc.integer({ min: 0, max: 0xffffffff });

describe('NAT-PMP', () => {
  it('asks for the address with two bytes (section 3.2)', () => {
    expect(encodeNatPmpAddressRequest().toString('hex')).toBe('0000');
  });

  it('asks for a TCP mapping with twelve (section 3.3)', () => {
    const bytes = encodeNatPmpMapRequest({ internalPort: 9000, externalPort: 9001, lifetimeSeconds: 3600 });
    expect(bytes.toString('hex')).toBe('000200002328232900000e10');
  });

  it('is read by a gateway as it was meant', () => {
    fc.assert(
      fc.property(port, port, seconds, (internalPort, externalPort, lifetimeSeconds) => {
        const request = { internalPort, externalPort, lifetimeSeconds };
        expect(readNatPmpRequest(encodeNatPmpMapRequest(request))).toEqual({
          version: 0,
          opcode: 2,
          ...request,
        });
      }),
      { numRuns: 1000 },
    );
  });

  it('reads any mapping that a gateway may grant', () => {
    fc.assert(
      fc.property(
        seconds,
        port,
        port,
        seconds,
        (epochSeconds, internalPort, externalPort, lifetimeSeconds) => {
          const bytes = writeNatPmpMapping(epochSeconds, internalPort, externalPort, lifetimeSeconds);
          expect(decodeNatPmpResponse(bytes)).toEqual({
            opcode: 'map',
            resultCode: 0,
            epochSeconds,
            mapping: { internalPort, externalPort, lifetimeSeconds },
          });
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('reads the address, and a refusal without one', () => {
    expect(decodeNatPmpResponse(writeNatPmpAddress(5, [203, 0, 113, 7]))).toEqual({
      opcode: 'address',
      resultCode: 0,
      epochSeconds: 5,
      externalAddress: '203.0.113.7',
    });
    expect(decodeNatPmpResponse(writeNatPmpAddress(5, [], 3))).toMatchObject({
      resultCode: 3,
      externalAddress: undefined,
    });
    expect(decodeNatPmpResponse(writeNatPmpMapping(5, 1, 2, 3, 4))).toMatchObject({ mapping: undefined });
  });

  it.each([
    ['nothing', '', 'length'],
    ['a PCP gateway', '0280000100000000000000050000000000000000', 'version'],
    ['half a header', '00800000', 'length'],
    ['an address without its bytes', '0080000000000005cb00', 'length'],
    ['a mapping without its end', '00820000000000052328', 'length'],
    ['a request', '0000000000000000', 'opcode'],
    ['a UDP mapping', '00810000000000050000000000000000', 'opcode'],
  ])('refuses %s', (_, hex, place) => {
    const decode = () => decodeNatPmpResponse(Buffer.from(hex, 'hex'));
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(expect.objectContaining({ place }));
  });
});
