// What a STUN server with up to two addresses and two ports answers to a Binding request: a pure function of
// the request and of where it came from and to (RFC 8489 section 6.3.1, RFC 5780 sections 6.1 and 7).
// RESPONSE-PORT is refused over UDP (420): it would let anybody who forges a source aim our answers at a port that
// did not ask. Over TCP, where the source has proved itself, it aims a dial-back at another port of that source.
import type { Endpoint } from '../../src/net/endpoint.js';
import { ipScope } from '../../src/net/ip-scope.js';
import { ATTRIBUTES, type Attribute, type ChangeRequest } from '../../src/stun/attributes.js';
import { encodeMessage, notUnderstood } from '../../src/stun/encode.js';
import { stunError } from '../../src/stun/error-codes.js';
import type { StunMessage } from '../../src/stun/message.js';

/** How many bytes an answer may have for each byte of its request (security.md, row 34). */
export const MAX_AMPLIFICATION = 2.5;

/** PADDING is echoed up to this length: enough to be fragmented, too little to be a weapon. */
const MAX_PADDING_BYTES = 2_048;

/** Where the server can be reached, as clients are told: its addresses, and its two ports. */
export interface StunSite {
  /** Undefined: not known, because the server listens on all addresses. */
  readonly hosts: readonly [string | undefined, (string | undefined)?];
  readonly ports: readonly [number, number];
}

/** One of the site's endpoints, by index into its addresses and ports. */
export interface Corner {
  readonly host: 0 | 1;
  readonly port: 0 | 1;
}

export interface Asked {
  readonly message: StunMessage;
  readonly from: Endpoint;
  /** Where the request arrived. */
  readonly at: Corner;
  readonly transport: 'udp' | 'tcp';
}

export type Answer =
  | { readonly send: Buffer; readonly via: Corner }
  /** TCP only: connect from this corner's address to `to`, an endpoint of who asked, and then tell how it went. */
  | { readonly dialBack: Corner; readonly to: Endpoint };

const UNDERSTOOD: ReadonlySet<number> = new Set([ATTRIBUTES['CHANGE-REQUEST'].type, ATTRIBUTES.PADDING.type]);
const RESPONSE_PORT = ATTRIBUTES['RESPONSE-PORT'].type;
// Authentication is neither needed nor checked for Binding: what comes with it is let pass.
const TOLERATED: ReadonlySet<number> = new Set([
  ATTRIBUTES.USERNAME.type,
  ATTRIBUTES['MESSAGE-INTEGRITY'].type,
  ATTRIBUTES['MESSAGE-INTEGRITY-SHA256'].type,
]);

/** The answer, or undefined for what deserves none: anything but a Binding request. @throws DecodeError */
export function answerTo(asked: Asked, site: StunSite): Answer | undefined {
  const { message, at, transport } = asked;
  if (message.class !== 'request' || message.methodName !== 'Binding') return undefined;

  const change = message.get('CHANGE-REQUEST');
  const changes = change?.address === true || change?.port === true;
  const aims = transport === 'tcp' && changes;
  const known = (type: number) => UNDERSTOOD.has(type) || TOLERATED.has(type);
  const strange = notUnderstood(message, type => known(type) || (aims && type === RESPONSE_PORT));
  if (strange.length > 0 && !message.classic) return refuse420(asked, strange);

  const padding = message.get('PADDING');
  if (padding && padding.length > MAX_PADDING_BYTES) return error(asked, stunError(400));
  const responsePort = aims ? message.get('RESPONSE-PORT') : undefined;
  if (responsePort === 0) return error(asked, stunError(400));
  if (!change || !changes) return bindingAnswer(asked, site, at, padding);
  if (change.address && site.hosts.length < 2) {
    return refuse420(asked, [ATTRIBUTES['CHANGE-REQUEST'].type]);
  }
  const via = changed(at, change);
  if (transport === 'udp') return bindingAnswer(asked, site, via, padding);
  if (responsePort === undefined) return { dialBack: via, to: asked.from };
  const to = { host: asked.from.host, port: responsePort };
  if (mayBeAimedAt(to.host)) return { dialBack: via, to };
  return { send: dialBackAnswer(asked, site, { outcome: 'not-tried', tries: 0 }), via: at };
}

/**
 * Whether a client at this address may name another of its ports. Only where addresses are public: a proxy in
 * front of us makes every client come from loopback or a private address, whose other ports are not the client's.
 */
function mayBeAimedAt(host: string): boolean {
  return ipScope(host) === 'global';
}

/** What a TCP client is told after its dial-back. */
export function dialBackAnswer(
  asked: Asked,
  site: StunSite,
  result: Extract<Attribute, readonly ['DIAL-BACK', unknown]>[1],
): Buffer {
  return encode(asked, [...essentials(asked, site), ['DIAL-BACK', result]]);
}

function changed(at: Corner, change: ChangeRequest): Corner {
  return { host: change.address ? other(at.host) : at.host, port: change.port ? other(at.port) : at.port };
}

function other(index: 0 | 1): 0 | 1 {
  return index === 0 ? 1 : 0;
}

function bindingAnswer(asked: Asked, site: StunSite, via: Corner, padding: Buffer | undefined): Answer {
  const attributes = essentials(asked, site);
  if (padding) attributes.push(['PADDING', Buffer.alloc(padding.length)]);
  const origin = endpoint(site, via);
  if (origin) attributes.push([asked.message.classic ? 'SOURCE-ADDRESS' : 'RESPONSE-ORIGIN', origin]);
  return { send: encode(asked, attributes), via };
}

/** The mapped address, and the site's other corner if it has two addresses. Most important first. */
function essentials({ message, from, at }: Asked, site: StunSite): Attribute[] {
  const { classic } = message;
  const attributes: Attribute[] = [[classic ? 'MAPPED-ADDRESS' : 'XOR-MAPPED-ADDRESS', from]];
  const alternate = site.hosts.length === 2 && endpoint(site, { host: other(at.host), port: other(at.port) });
  if (alternate) attributes.push([classic ? 'CHANGED-ADDRESS' : 'OTHER-ADDRESS', alternate]);
  else if (!classic) attributes.push(['OTHER-PORT', site.ports[other(at.port)]]);
  return attributes;
}

function endpoint(site: StunSite, corner: Corner): Endpoint | undefined {
  const host = site.hosts[corner.host];
  return host === undefined ? undefined : { host, port: site.ports[corner.port] };
}

function refuse420(asked: Asked, types: readonly number[]): Answer {
  return error(asked, stunError(420), ['UNKNOWN-ATTRIBUTES', types.slice(0, 4)]);
}

function error(asked: Asked, value: { code: number; reason: string }, ...more: Attribute[]): Answer {
  return { send: encode(asked, [['ERROR-CODE', value], ...more], 'error'), via: asked.at };
}

// Encodes as many attributes, in their order, as the bound on amplification lets in: at least the first.
function encode(
  asked: Asked,
  attributes: readonly Attribute[],
  kind: 'success' | 'error' = 'success',
): Buffer {
  const { message, transport } = asked;
  const limit = transport === 'udp' ? message.bytes.length * MAX_AMPLIFICATION : Number.POSITIVE_INFINITY;
  const fingerprint = message.has('FINGERPRINT');
  const plan = { class: kind, method: message.method, transactionId: message.transactionId } as const;
  for (let count = attributes.length; count > 1; count--) {
    const bytes = encodeMessage({ ...plan, attributes: attributes.slice(0, count), fingerprint });
    if (bytes.length <= limit) return bytes;
  }
  return encodeMessage({ ...plan, attributes: attributes.slice(0, 1) });
}
