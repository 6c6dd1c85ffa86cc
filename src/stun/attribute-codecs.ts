// How the value of an attribute is laid out in bytes: one codec per layout, shared by the rows of
// attributes.ts (RFC 8489 section 14, RFC 8656 section 18, RFC 5780 section 7, RFC 6062 section 6.2).
// Codecs work in place on the whole message (which starts at index 0): XOR'd addresses need its header.
import { DecodeError, WayleaveError } from '../errors.js';
import { ipBytes, ipFromBytes } from '../net/ip-scope.js';

/** A layout. `name` is the attribute's, for the place in an error. */
export interface Codec<V> {
  /** Reads the value in bytes[start, end). @throws DecodeError */
  read(bytes: Buffer, start: number, end: number, name: string): V;
  /** Bytes that `write` will fill. */
  size(value: V): number;
  write(value: V, bytes: Buffer, start: number): void;
}

/** An address as attributes carry it: canonical IP literal; port 0 to 65535 (0 where the port means nothing). */
export interface TransportAddress {
  readonly host: string;
  readonly port: number;
}

function bad(name: string, part: string, what: string): never {
  throw new DecodeError(`attribute/${name}${part}`, what);
}

function exactly(length: number, start: number, end: number, name: string): void {
  if (end - start !== length) bad(name, '/length', `${end - start} bytes, not ${length}`);
}

function unsigned(value: number, limit: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= limit) return value;
  throw new WayleaveError('bad-option', `${value} is not an integer between 0 and ${limit}`);
}

/** Unsigned integer of `width` bytes, followed by `reserved` bytes of zero. */
export function integer(width: 1 | 2 | 4, reserved: 0 | 2 | 3 = 0): Codec<number> {
  const length = width + reserved;
  return {
    read(bytes, start, end, name) {
      exactly(length, start, end, name);
      return bytes.readUIntBE(start, width);
    },
    size: () => length,
    write(value, bytes, start) {
      bytes.writeUIntBE(unsigned(value, 2 ** (8 * width) - 1), start, width);
      bytes.fill(0, start + width, start + length);
    },
  };
}

/** Bytes as they are; the limits are for the length. What `read` returns is a view of the message. */
export function opaque(maxBytes = 65_535, minBytes = 0): Codec<Buffer> {
  return {
    read(bytes, start, end, name) {
      const length = end - start;
      if (length < minBytes || length > maxBytes) bad(name, '/length', `${length} bytes`);
      return bytes.subarray(start, end);
    },
    size(value) {
      unsigned(value.length, maxBytes);
      return value.length;
    },
    write(value, bytes, start) {
      value.copy(bytes, start);
    },
  };
}

/** UTF-8 text of at most `maxBytes` bytes. */
export function text(maxBytes: number): Codec<string> {
  return {
    read(bytes, start, end, name) {
      if (end - start > maxBytes) bad(name, '/length', `${end - start} bytes, more than ${maxBytes}`);
      return bytes.toString('utf8', start, end);
    },
    size: value => unsigned(Buffer.byteLength(value), maxBytes),
    write(value, bytes, start) {
      bytes.write(value, start);
    },
  };
}

/** No value: being there is the message. */
export const flag: Codec<true> = {
  read(_bytes, start, end, name) {
    exactly(0, start, end, name);
    return true;
  },
  size: () => 0,
  write() {},
};

const FAMILY_V4 = 1;
const FAMILY_V6 = 2;

/** IP address and port. With `xor`, hidden under the magic cookie and transaction id (bytes 4 to 19). */
export function address(xor: boolean): Codec<TransportAddress> {
  const mask = xor ? 0xff : 0;
  return {
    read(bytes, start, end, name) {
      if (end - start < 8) bad(name, '/length', `${end - start} bytes, too few`);
      const family = bytes[start + 1];
      const port = ((bytes[start + 2]! ^ (bytes[4]! & mask)) << 8) | (bytes[start + 3]! ^ (bytes[5]! & mask));
      const at = start + 4;
      if (family === FAMILY_V4) {
        exactly(8, start, end, name);
        const [a, b] = [bytes[at]! ^ (bytes[4]! & mask), bytes[at + 1]! ^ (bytes[5]! & mask)];
        const [c, d] = [bytes[at + 2]! ^ (bytes[6]! & mask), bytes[at + 3]! ^ (bytes[7]! & mask)];
        return { host: `${a}.${b}.${c}.${d}`, port };
      }
      if (family !== FAMILY_V6) bad(name, '/family', `${family} is neither IPv4 (1) nor IPv6 (2)`);
      exactly(20, start, end, name);
      const ip = new Uint8Array(16);
      for (let i = 0; i < 16; i++) ip[i] = bytes[at + i]! ^ (bytes[4 + i]! & mask);
      return { host: ipFromBytes(ip), port };
    },
    size: value => (value.host.includes(':') ? 20 : 8),
    write({ host, port }, bytes, start) {
      const ip = addressBytes(host);
      unsigned(port, 65_535);
      bytes[start] = 0;
      bytes[start + 1] = ip.length === 4 ? FAMILY_V4 : FAMILY_V6;
      bytes[start + 2] = (port >> 8) ^ (bytes[4]! & mask);
      bytes[start + 3] = (port & 0xff) ^ (bytes[5]! & mask);
      for (let i = 0; i < ip.length; i++) bytes[start + 4 + i] = ip[i]! ^ (bytes[4 + i]! & mask);
    },
  };
}

// Responders write an address in every answer, nearly always IPv4: read that without the general parser.
function addressBytes(host: string): ArrayLike<number> {
  if (host.includes(':')) return ipBytes(host) ?? notAnAddress(host);
  const quad = [0, 0, 0, 0];
  let index = 0;
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code === 46) index++;
    else if (code >= 48 && code <= 57 && index < 4) quad[index] = quad[index]! * 10 + code - 48;
    else return notAnAddress(host);
  }
  return index === 3 && quad.every(part => part < 256) && !host.includes('..') ? quad : notAnAddress(host);
}

function notAnAddress(host: string): never {
  throw new WayleaveError('bad-option', `${host} is not an IP address`);
}

/** ERROR-CODE: class (hundreds, 3 to 6) and number, then words. */
export const errorCode: Codec<{ code: number; reason: string }> = {
  read(bytes, start, end, name) {
    if (end - start < 4) bad(name, '/length', `${end - start} bytes, too few`);
    if (end - start > 4 + 763) bad(name, '/reason', `${end - start - 4} bytes, more than 763`);
    const hundreds = bytes[start + 2]! & 0x07;
    const number = bytes[start + 3]!;
    if (hundreds < 3 || hundreds > 6) bad(name, '/class', `${hundreds} is not between 3 and 6`);
    if (number > 99) bad(name, '/number', `${number} is over 99`);
    return { code: hundreds * 100 + number, reason: bytes.toString('utf8', start + 4, end) };
  },
  size: ({ reason }) => 4 + unsigned(Buffer.byteLength(reason), 763),
  write({ code, reason }, bytes, start) {
    if (!(Number.isInteger(code) && code >= 300 && code <= 699)) {
      throw new WayleaveError('bad-option', `error code ${code} is not between 300 and 699`);
    }
    bytes.writeUInt16BE(0, start);
    bytes[start + 2] = Math.floor(code / 100);
    bytes[start + 3] = code % 100;
    bytes.write(reason, start + 4);
  },
};

/** ADDRESS-ERROR-CODE: an error code for one address family (1: IPv4, 2: IPv6). */
export const addressErrorCode: Codec<{ family: number; code: number; reason: string }> = {
  read(bytes, start, end, name) {
    const error = errorCode.read(bytes, start, end, name);
    return { family: bytes[start]!, ...error };
  },
  size: errorCode.size,
  write(value, bytes, start) {
    errorCode.write(value, bytes, start);
    bytes[start] = unsigned(value.family, 255);
  },
};

/** UNKNOWN-ATTRIBUTES: attribute types. */
export const typeList: Codec<readonly number[]> = {
  read(bytes, start, end, name) {
    if ((end - start) % 2) bad(name, '/length', 'odd');
    const types: number[] = [];
    for (let at = start; at < end; at += 2) types.push(bytes.readUInt16BE(at));
    return types;
  },
  size: types => types.length * 2,
  write(types, bytes, start) {
    types.forEach((type, i) => {
      bytes.writeUInt16BE(type, start + 2 * i);
    });
  },
};
