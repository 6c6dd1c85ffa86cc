// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 and 2.2): what a
// TCP proxy writes before the first byte of its client. Pure; TLVs are skipped, not read.
import { DecodeError } from '../src/errors.js';
import { type Endpoint, toEndpoint } from '../src/net/endpoint.js';
import { ipFromBytes, unmappedIp } from '../src/net/ip-scope.js';

const V1_START = Buffer.from('PROXY ');
const V2_START = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** The longest line of version 1, with its CRLF. */
const V1_MAX_BYTES = 107;
const V2_HEAD_BYTES = 16;
/** Addresses and TLVs of version 2: it could announce 64 KiB. */
const V2_MAX_REST_BYTES = 2_048;
/** No header is longer. */
export const MAX_PROXY_HEADER_BYTES = V2_HEAD_BYTES + V2_MAX_REST_BYTES;

export interface ProxyHeader {
  /** The client, or undefined where the proxy speaks for itself (LOCAL, UNKNOWN). */
  readonly client: Endpoint | undefined;
  /** How many bytes the header takes. */
  readonly length: number;
}

/** The header that these bytes begin with, or undefined when more bytes are needed. @throws DecodeError */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  const begins = (start: Buffer) => {
    const length = Math.min(bytes.length, start.length);
    return bytes.subarray(0, length).equals(start.subarray(0, length));
  };
  if (begins(V1_START)) return readV1(bytes);
  if (begins(V2_START)) return readV2(bytes);
  throw new DecodeError('proxy', 'neither version of the PROXY protocol');
}

function readV1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, V1_MAX_BYTES).indexOf('\r\n');
  if (end < 0) {
    if (bytes.length >= V1_MAX_BYTES) throw new DecodeError('proxy/v1', 'too long');
    return undefined;
  }
  const words = bytes.toString('latin1', 0, end).split(' ');
  const length = end + 2;
  const [, family, source = '', , port = ''] = words;
  if (family === 'UNKNOWN') return { client: undefined, length };
  const ofFamily = family === (source.includes(':') ? 'TCP6' : 'TCP4');
  const client = /^[1-9][0-9]{0,4}$/.test(port) ? toEndpoint(source, Number(port)) : undefined;
  if (words.length !== 6 || !ofFamily || !client) throw new DecodeError('proxy/v1', 'malformed');
  return { client: unmapped(client), length };
}

function readV2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < V2_HEAD_BYTES) return undefined;
  const [versionAndCommand, familyAndProtocol] = [bytes[12]!, bytes[13]!];
  const rest = bytes.readUInt16BE(14);
  if (rest > V2_MAX_REST_BYTES) throw new DecodeError('proxy/v2', 'too long');
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21)
    throw new DecodeError('proxy/v2/command', 'unknown');
  const length = V2_HEAD_BYTES + rest;
  if (bytes.length < length) return undefined;
  if (versionAndCommand === 0x20 || familyAndProtocol === 0x00) return { client: undefined, length };
  const addressBytes = { 17: 4, 33: 16 }[familyAndProtocol];
  if (addressBytes === undefined) throw new DecodeError('proxy/v2/family', 'not TCP over IP');
  if (rest < 2 * addressBytes + 4) throw new DecodeError('proxy/v2', 'too short for its addresses');
  const source = ipFromBytes(bytes.subarray(V2_HEAD_BYTES, V2_HEAD_BYTES + addressBytes));
  const client = toEndpoint(source, bytes.readUInt16BE(V2_HEAD_BYTES + 2 * addressBytes));
  if (!client) throw new DecodeError('proxy/v2/port', 'is 0');
  return { client: unmapped(client), length };
}

function unmapped({ host, port }: Endpoint): Endpoint {
  return { host: unmappedIp(host), port };
}
