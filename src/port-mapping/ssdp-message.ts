// SSDP on the wire (UPnP Device Architecture 1.1 sections 1.2 and 1.3): HTTP-like heads in single datagrams.
// Searches out; answers and notifications in.
import { DecodeError } from '../errors.js';
import type { Family } from '../net/ip-scope.js';

export const SSDP_GROUP: Readonly<Record<Family, string>> = { 4: '239.255.255.250', 6: 'ff02::c' };
const MAX_LENGTH = 4096;
const MAX_HEADERS = 40;

export type SsdpMessage =
  | {
      readonly kind: 'answer';
      readonly target: string;
      /** Where the description is said to be; not to be believed before it was checked. */
      readonly location: string | undefined;
    }
  | {
      readonly kind: 'alive' | 'byebye';
      readonly target: string;
      /** BOOTID.UPNP.ORG: changes when the device restarts. */
      readonly bootId: string | undefined;
    };

/** Devices must answer searches for lower versions than their own (section 1.3.2), so :1 finds them all; some do not. */
export const SSDP_SEARCH_TARGETS = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
] as const;

export function isGatewayTarget(target: string): boolean {
  return /^urn:schemas-upnp-org:device:InternetGatewayDevice:\d{1,3}$/.test(target);
}

/** MX is 1: answers within a second. */
export function encodeSsdpSearch(target: string, family: Family): Buffer {
  const host = family === 4 ? SSDP_GROUP[4] : `[${SSDP_GROUP[6]}]`;
  const lines = [
    'M-SEARCH * HTTP/1.1',
    `HOST: ${host}:1900`,
    'MAN: "ssdp:discover"',
    'MX: 1',
    `ST: ${target}`,
    '',
    '',
  ];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** @throws DecodeError */
export function decodeSsdp(datagram: Uint8Array): SsdpMessage {
  if (datagram.byteLength > MAX_LENGTH) throw new DecodeError('length', `${datagram.byteLength} bytes`);
  const text = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength).toString('latin1');
  const [start = '', ...rest] = text.split(/\r?\n/);
  const headers = new Map<string, string>();
  for (const line of rest) {
    if (line === '') break;
    const colon = line.indexOf(':');
    if (colon < 1) throw new DecodeError('header', 'a line without a name');
    if (headers.size === MAX_HEADERS) throw new DecodeError('header', 'too many');
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  if (/^HTTP\/1\.[01] 200\b/.test(start))
    return { kind: 'answer', target: headers.get('st') ?? '', location: headers.get('location') };
  if (!/^NOTIFY \* HTTP\/1\.[01]$/.test(start))
    throw new DecodeError('start', 'neither answer nor notification');
  const bootId = headers.get('bootid.upnp.org');
  const target = headers.get('nt') ?? '';
  switch (headers.get('nts')) {
    case 'ssdp:alive':
      return { kind: 'alive', target, bootId };
    case 'ssdp:byebye':
      return { kind: 'byebye', target, bootId };
    default:
      throw new DecodeError('header/nts', 'neither alive nor byebye');
  }
}
