// NAT-PMP on the wire (RFC 6886 section 3): 2 bytes ask for the external address, 12 for a TCP mapping.
//
//   address request:  version=0 | opcode=0
//   address response: version=0 | opcode=128 | result(16) | epoch(32) | external address(32)
//   mapping request:  version=0 | opcode=2 | reserved(16) | internal port(16) | external port(16) | lifetime(32)
//   mapping response: version=0 | opcode=130 | result(16) | epoch(32) | internal(16) | external(16) | lifetime(32)
import { DecodeError } from '../errors.js';
import { ipFromBytes } from '../net/ip-scope.js';

const OPCODES = { address: 0, mapTcp: 2 } as const;
const RESPONSE_BIT = 0x80;

export interface NatPmpMapRequest {
  readonly internalPort: number;
  /** A wish; 0 when removing. */
  readonly externalPort: number;
  /** Seconds; 0 removes the mapping. */
  readonly lifetimeSeconds: number;
}

interface NatPmpHeader {
  /** 0 is success; the rest is in gateway-refusal.ts. */
  readonly resultCode: number;
  /** Seconds since the gateway lost its state. */
  readonly epochSeconds: number;
}

/** A refused request brings no more than the header: the other fields are then undefined. */
export type NatPmpResponse =
  | (NatPmpHeader & { readonly opcode: 'address'; readonly externalAddress: string | undefined })
  | (NatPmpHeader & {
      readonly opcode: 'map';
      readonly mapping:
        | { readonly internalPort: number; readonly externalPort: number; readonly lifetimeSeconds: number }
        | undefined;
    });

export function encodeNatPmpAddressRequest(): Buffer {
  return Buffer.from([0, OPCODES.address]);
}

export function encodeNatPmpMapRequest(request: NatPmpMapRequest): Buffer {
  const message = Buffer.alloc(12);
  message[1] = OPCODES.mapTcp;
  message.writeUInt16BE(request.internalPort, 4);
  message.writeUInt16BE(request.externalPort, 6);
  message.writeUInt32BE(request.lifetimeSeconds, 8);
  return message;
}

/** @throws DecodeError; place `version` when the sender speaks another version (PCP is version 2). */
export function decodeNatPmpResponse(bytes: Uint8Array): NatPmpResponse {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 2) throw new DecodeError('length', `${view.length} bytes are no NAT-PMP message`);
  if (view[0] === 1 || view[0] === 2) throw new DecodeError('version', `${view[0]} instead of 0`);
  if (view[0] !== 0) throw new DecodeError('start', 'no NAT-PMP message');
  if (view.length < 8) throw new DecodeError('length', `${view.length} bytes`);
  const header = { resultCode: view.readUInt16BE(2), epochSeconds: view.readUInt32BE(4) };
  const succeeded = header.resultCode === 0;
  switch (view[1]) {
    case RESPONSE_BIT | OPCODES.address:
      if (succeeded && view.length < 12)
        throw new DecodeError('length', `${view.length} bytes for an address`);
      return {
        opcode: 'address',
        ...header,
        externalAddress: succeeded ? ipFromBytes(view.subarray(8, 12)) : undefined,
      };
    case RESPONSE_BIT | OPCODES.mapTcp:
      if (succeeded && view.length < 16)
        throw new DecodeError('length', `${view.length} bytes for a mapping`);
      return {
        opcode: 'map',
        ...header,
        mapping: succeeded
          ? {
              internalPort: view.readUInt16BE(8),
              externalPort: view.readUInt16BE(10),
              lifetimeSeconds: view.readUInt32BE(12),
            }
          : undefined,
      };
    default:
      throw new DecodeError('opcode', `unknown: ${view[1]}`);
  }
}
