// The URL of a signalling server, checked before anything is opened. Names are allowed: such a URL comes from
// the user's configuration or from an address that the user handed over. Two kinds: servers of this project (ws, wss)
// and MQTT brokers (mqtt, mqtts, and MQTT over WebSocket, which brokers offer under a path that ends in /mqtt).
import { WayleaveError } from '../errors.js';
import { canonicalIp, ipScope } from '../net/ip-scope.js';

/** What a node address can hold. */
const MAX_CHARACTERS = 256;
/** Passwords may be tokens of a kilobyte. */
const MAX_OWN_CHARACTERS = 2048;
/** Those that WHATWG's URL does not know. */
const DEFAULT_PORT: Readonly<Record<string, string>> = { 'mqtt:': '1883', 'mqtts:': '8883' };

/** For a broker's CONNECT packet. */
export interface Credentials {
  readonly username: string;
  readonly password: string | undefined;
}

/** A server that the user named. */
export interface OwnServer {
  /** In its one spelling, without credentials: may be published and printed. */
  readonly url: string;
  readonly credentials: Credentials | undefined;
}

/**
 * A URL out of the user's own options: that of a broker may hold a user name and a password.
 * @throws WayleaveError `bad-option`, which shows neither.
 */
export function parseOwnServer(text: string): OwnServer {
  // whatever stands before the last @ may be a secret, also where the rest is no URL
  const shown = JSON.stringify(text.replace(/^([a-z]*:(?:\/\/)?)?.*@/is, '$1…@').slice(0, 80));
  const fail = (why: string) => new WayleaveError('bad-option', `server URL ${shown} ${why}`);
  if (text.length > MAX_OWN_CHARACTERS) throw fail(`is longer than ${MAX_OWN_CHARACTERS} characters`);
  if (!URL.canParse(text)) throw fail('is not a URL; write ws://HOST:PORT or wss://HOST:PORT');
  const given = new URL(text);
  if (!/^(ws|mqtt)s?:$/.test(given.protocol)) {
    throw fail('must begin with ws://, wss://, mqtt:// or mqtts://');
  }
  const credentials = credentialsOf(given, fail);
  if (credentials && !isBroker(given)) throw fail('must not hold a user name or password');
  if (given.hash !== '') throw fail('must not hold a fragment (#…)');
  const url = spelling(given, fail);
  if (url.length > MAX_CHARACTERS) throw fail(`is longer than ${MAX_CHARACTERS} characters`);
  return { url, credentials };
}

/**
 * A URL from anywhere, in its one spelling.
 * @throws WayleaveError `bad-option` unless it is a ws:, wss:, mqtt: or mqtts: URL without credentials or fragment.
 */
export function parseServerUrl(text: string): string {
  const { url, credentials } = parseOwnServer(text);
  if (!credentials) return url;
  throw new WayleaveError('bad-option', `server URL ${JSON.stringify(url)} must not hold credentials here`);
}

/** What a node tells others of a server that its user named: anything but the credentials. */
export function published(text: string): string {
  const { url, credentials } = parseOwnServer(text);
  return credentials ? url : text;
}

/** Whether an MQTT broker is meant: it passes messages on and does nothing else that a server of ours does. */
export function isBroker(url: string | URL): boolean {
  const { protocol, pathname } = new URL(url);
  return protocol.startsWith('mqtt') || pathname.endsWith('/mqtt');
}

/** The host that a URL names: a canonical IP address, or a name in lower case. */
export function hostOf(url: string): string {
  const { hostname } = new URL(url.replace(/^mqtt/i, 'ws')); // only of these the URL standard knows what a host is
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return canonicalIp(bare) ?? bare;
}

/** Whether the URL names this very machine: `localhost` or a loopback address. */
export function isOnThisMachine(url: string): boolean {
  const host = hostOf(url);
  return host === 'localhost' || ipScope(host) === 'loopback';
}

function credentialsOf(url: URL, fail: (why: string) => WayleaveError): Credentials | undefined {
  if (url.username === '' && url.password === '') return undefined;
  if (url.username === '') throw fail('holds a password without a user name'); // MQTT 3.1.1, section 3.1.2.9
  try {
    const password = url.password === '' ? undefined : decodeURIComponent(url.password);
    return { username: decodeURIComponent(url.username), password };
  } catch {
    throw fail('holds a user name or password that is not percent-encoded');
  }
}

/** Without credentials, and one text for what is one server. */
function spelling(given: URL, fail: (why: string) => WayleaveError): string {
  const url = new URL(given);
  url.username = '';
  url.password = '';
  const ownPort = DEFAULT_PORT[url.protocol];
  if (ownPort === undefined) return url.href;
  if (url.search !== '' || (url.pathname !== '' && url.pathname !== '/')) throw fail('must not hold a path');
  if (url.hostname === '' || !URL.canParse(`ws://${url.hostname}`)) throw fail('names no host');
  const { host } = new URL(`ws://${url.hostname}`);
  const port = url.port === '' || url.port === ownPort ? '' : `:${url.port}`;
  return `${url.protocol}//${host}${port}`;
}
