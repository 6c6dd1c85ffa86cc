// The gateway's half of PCP and NAT-PMP, written from the RFCs and apart from the client's codecs, so that a
// mistake in one is not repeated in the other.

export interface PcpRequest {
  version: number;
  opcode: number;
  lifetimeSeconds: number;
  clientAddress: Buffer;
  nonce: Buffer;
  protocol: number;
  internalPort: number;
  externalPort: number;
  externalAddress: Buffer;
}

export function readPcpRequest(message: Buffer): PcpRequest {
  const map = message.subarray(24);
  return {
    version: message.readUInt8(0),
    opcode: message.readUInt8(1),
    lifetimeSeconds: message.readUInt32BE(4),
    clientAddress: message.subarray(8, 24),
    nonce: map.subarray(0, 12),
    protocol: map.length ? map.readUInt8(12) : 0,
    internalPort: map.length ? map.readUInt16BE(16) : 0,
    externalPort: map.length ? map.readUInt16BE(18) : 0,
    externalAddress: map.subarray(20, 36),
  };
}

export interface PcpAnswer {
  opcode: 0 | 1;
  result: number;
  lifetimeSeconds: number;
  epochSeconds: number;
  map?: {
    nonce: Uint8Array;
    protocol?: number;
    internalPort: number;
    externalPort: number;
    externalAddress: Uint8Array;
  };
}

export function writePcpAnswer({ opcode, result, lifetimeSeconds, epochSeconds, map }: PcpAnswer): Buffer {
  const header = Buffer.from([2, 0x80 | opcode, 0, result, ...Array(20).fill(0)]);
  header.writeUInt32BE(lifetimeSeconds, 4);
  header.writeUInt32BE(epochSeconds, 8);
  if (!map) return header;
  const body = Buffer.alloc(36);
  body.set(map.nonce, 0);
  body[12] = map.protocol ?? 6;
  body.writeUInt16BE(map.internalPort, 16);
  body.writeUInt16BE(map.externalPort, 18);
  body.set(map.externalAddress, 20);
  return Buffer.concat([header, body]);
}

/** IPv4 in the 16 bytes that PCP gives every address. */
export const mapped = (a: number, b: number, c: number, d: number) =>
  Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]);

export interface NatPmpRequest {
  version: number;
  opcode: number;
  internalPort: number;
  externalPort: number;
  lifetimeSeconds: number;
}

export function readNatPmpRequest(message: Buffer): NatPmpRequest {
  const long = message.length >= 12;
  return {
    version: message.readUInt8(0),
    opcode: message.readUInt8(1),
    internalPort: long ? message.readUInt16BE(4) : 0,
    externalPort: long ? message.readUInt16BE(6) : 0,
    lifetimeSeconds: long ? message.readUInt32BE(8) : 0,
  };
}

export function writeNatPmpAddress(epochSeconds: number, address: readonly number[], result = 0): Buffer {
  const head = Buffer.from([0, 128, 0, result, 0, 0, 0, 0]);
  head.writeUInt32BE(epochSeconds, 4);
  return result === 0 ? Buffer.concat([head, Buffer.from(address)]) : head;
}

export function writeNatPmpMapping(
  epochSeconds: number,
  internalPort: number,
  externalPort: number,
  lifetimeSeconds: number,
  result = 0,
): Buffer {
  const message = Buffer.alloc(16);
  message[1] = 130;
  message.writeUInt16BE(result, 2);
  message.writeUInt32BE(epochSeconds, 4);
  message.writeUInt16BE(internalPort, 8);
  message.writeUInt16BE(externalPort, 10);
  message.writeUInt32BE(lifetimeSeconds, 12);
  return message;
}
