// Where a gateway's UPnP description may be: on the gateway, nowhere else. Whatever a LOCATION or URLBase
// says, only its port and path are used; the host that is dialled is always the gateway's own.
import { DecodeError } from '../errors.js';
import { canonicalIp, familyOf } from '../net/ip-scope.js';
import type { Gateway } from './gateway.js';

/** Something on the gateway that speaks HTTP. */
export interface GatewayUrl {
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** The host as the gateway writes it, for the Host header and for comparing. */
  readonly host: string;
}

const MAX_LENGTH = 1024;

/**
 * The checked location. Over IPv4 its host must be the gateway's address. Over IPv6 gateways announce any of
 * their addresses while the route knows the link-local one: the host may be any IPv6 literal then.
 * @throws DecodeError, place `location`.
 */
export function gatewayUrl(location: string, gateway: Gateway): GatewayUrl {
  const url = parseHttpUrl(location, undefined);
  const host = canonicalIp(url.hostname.replace(/^\[|\]$/g, ''));
  if (host === undefined) throw new DecodeError('location', 'its host is not an IP literal');
  const elsewhere = familyOf(gateway.address) === 4 ? host !== gateway.address : familyOf(host) !== 6;
  if (elsewhere) throw new DecodeError('location', `${host} is not the gateway ${gateway.address}`);
  return { port: portOf(url), path: url.pathname + url.search, host: url.hostname };
}

/**
 * A control URL of the description, relative to where that came from; it must stay on the same host.
 * @throws DecodeError, place `control-url`.
 */
export function controlUrl(reference: string, base: GatewayUrl): GatewayUrl {
  const url = parseHttpUrl(reference, `http://${base.host}:${base.port}${base.path}`, 'control-url');
  if (url.hostname !== base.host) throw new DecodeError('control-url', `${url.hostname} is not ${base.host}`);
  return { port: portOf(url), path: url.pathname + url.search, host: base.host };
}

const portOf = (url: URL) => (url.port === '' ? 80 : Number(url.port));

function parseHttpUrl(text: string, base: string | undefined, place = 'location'): URL {
  // Zones are not part of URLs (WHATWG), but gateways write them; they mean nothing on this side.
  const plain = text.replace(/%(?:25)?[\w.-]+(?=\])/, '');
  if (plain.length > MAX_LENGTH || !URL.canParse(plain, base)) throw new DecodeError(place, 'not a URL');
  const url = new URL(plain, base);
  if (url.protocol !== 'http:' || url.username || url.password || url.port === '0')
    throw new DecodeError(place, 'not a plain http URL');
  return url;
}
