// PCP on the wire (RFC 6887 sections 7 and 11): MAP and ANNOUNCE requests out, their responses in.
//
//   request:  version=2 | R=0,opcode | reserved(16) | lifetime(32) | client address(128)
//   response: version=2 | R=1,opcode | reserved(8) | result(8) | lifetime(32) | epoch(32) | reserved(96)
//   MAP:      nonce(96) | protocol(8) | reserved(24) | internal port(16) | external port(16) | external address(128)
//
// Left out: PEER, and the options THIRD_PARTY, PREFER_FAILURE and FILTER: a node maps for itself, takes the
// port it gets, and is dialled by strangers.
import { DecodeError } from '../errors.js';
import { ipBytes, unmappedIp } from '../net/ip-scope.js';

const PCP_VERSION = 2;
export const PCP_NONCE_LENGTH = 12;
const RESPONSE_BIT = 0x80;
const OPCODES = { announce: 0, map: 1 } as const;
const PROTOCOL_TCP = 6;
const HEADER_LENGTH = 24;
const MAP_LENGTH = 36;
/** Section 7: no PCP message is longer. */
const MAX_LENGTH = 1100;

export interface PcpMapRequest {
  readonly nonce: Uint8Array;
  readonly clientAddress: string;
  /** Seconds; 0 removes the mapping. */
  readonly lifetimeSeconds: number;
  readonly internalPort: number;
  /** 0: no wish. */
  readonly externalPort: number;
  /** Undefined: no wish. */
  readonly externalAddress?: string | undefined;
}

interface PcpResponseHeader {
  /** 0 is success; the rest is in gateway-refusal.ts. */
  readonly resultCode: number;
  /** Of the mapping, or of the error. */
  readonly lifetimeSeconds: number;
  /** Seconds since the gateway lost its state. */
  readonly epochSeconds: number;
}

export type PcpResponse =
  | (PcpResponseHeader & { readonly opcode: 'announce' })
  | (PcpResponseHeader & {
      readonly opcode: 'map';
      readonly nonce: Uint8Array;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly externalAddress: string;
    });

/** PCP writes every address in 16 bytes, IPv4 as ::ffff:a.b.c.d; "none" keeps the family (section 11.1). */
function addressBytes(address: string): number[] {
  const bytes = ipBytes(address) ?? [];
  return bytes.length === 4 ? [...Array(10).fill(0), 0xff, 0xff, ...bytes] : bytes;
}

function encodeHeader(
  opcode: number,
  lifetimeSeconds: number,
  clientAddress: string,
  length: number,
): Buffer {
  const message = Buffer.alloc(length);
  message[0] = PCP_VERSION;
  message[1] = opcode;
  message.writeUInt32BE(lifetimeSeconds, 4);
  message.set(addressBytes(clientAddress), 8);
  return message;
}

/** Asks for nothing but the epoch: how a client finds out that PCP is spoken (section 14.1.1). */
export function encodePcpAnnounceRequest(clientAddress: string): Buffer {
  return encodeHeader(OPCODES.announce, 0, clientAddress, HEADER_LENGTH);
}

export function encodePcpMapRequest(request: PcpMapRequest): Buffer {
  const { nonce, clientAddress, lifetimeSeconds, internalPort, externalPort, externalAddress } = request;
  const message = encodeHeader(OPCODES.map, lifetimeSeconds, clientAddress, HEADER_LENGTH + MAP_LENGTH);
  message.set(nonce, 24);
  message[36] = PROTOCOL_TCP;
  message.writeUInt16BE(internalPort, 40);
  message.writeUInt16BE(externalPort, 42);
  message.set(addressBytes(externalAddress ?? (clientAddress.includes(':') ? '::' : '0.0.0.0')), 44);
  return message;
}

/**
 * Options after the body are ignored: all that we know of answer options that we never send.
 * @throws DecodeError; place `version` when the sender speaks another version (NAT-PMP is version 0).
 */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 2) throw new DecodeError('length', `${view.length} bytes are no PCP message`);
  if (view[0]! < PCP_VERSION) throw new DecodeError('version', `${view[0]} instead of ${PCP_VERSION}`);
  if (view[0]! > PCP_VERSION) throw new DecodeError('start', 'no PCP message');
  if (view.length < HEADER_LENGTH || view.length > MAX_LENGTH || view.length % 4 !== 0)
    throw new DecodeError('length', `${view.length} bytes`);
  if ((view[1]! & RESPONSE_BIT) === 0) throw new DecodeError('opcode', 'a request, not a response');
  const header = {
    resultCode: view[3]!,
    lifetimeSeconds: view.readUInt32BE(4),
    epochSeconds: view.readUInt32BE(8),
  };
  const opcode = view[1]! & 0x7f;
  if (opcode === OPCODES.announce) return { opcode: 'announce', ...header };
  if (opcode !== OPCODES.map) throw new DecodeError('opcode', `unknown: ${opcode}`);
  if (view.length < HEADER_LENGTH + MAP_LENGTH)
    throw new DecodeError('length', `${view.length} bytes for MAP`);
  if (view[36] !== PROTOCOL_TCP) throw new DecodeError('map/protocol', `${view[36]} was not asked for`);
  return {
    opcode: 'map',
    ...header,
    nonce: Uint8Array.from(view.subarray(24, 36)),
    internalPort: view.readUInt16BE(40),
    externalPort: view.readUInt16BE(42),
    externalAddress: unmappedIp(ipText(view.subarray(44, 60))),
  };
}

function ipText(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return groups.join(':');
}
