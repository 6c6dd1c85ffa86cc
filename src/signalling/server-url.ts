// The URL of a signalling server, checked before anything is opened. Names are allowed: such a URL comes from
// the user's configuration or from an address that the user handed over.
import { WayleaveError } from '../errors.js';
import { ipScope } from '../net/ip-scope.js';

const MAX_CHARACTERS = 512;

/**
 * The URL in its one spelling.
 * @throws WayleaveError `bad-option` unless it is a ws: or wss: URL without credentials or fragment.
 */
export function parseServerUrl(text: string): string {
  const shown = JSON.stringify(text.slice(0, 80).replace(/\/\/.*@/, '//…@')); // no secrets in messages
  const fail = (why: string) => new WayleaveError('bad-option', `server URL ${shown} ${why}`);
  if (text.length > MAX_CHARACTERS) throw fail(`is longer than ${MAX_CHARACTERS} characters`);
  if (!URL.canParse(text)) throw fail('is not a URL; write ws://HOST:PORT or wss://HOST:PORT');
  const url = new URL(text);
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw fail('must begin with ws:// or wss://');
  if (url.username !== '' || url.password !== '') throw fail('must not hold a user name or password');
  if (url.hash !== '') throw fail('must not hold a fragment (#…)');
  return url.href;
}

/** Whether the URL names this very machine: `localhost` or a loopback address. */
export function isOnThisMachine(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || ipScope(hostname.replace(/^\[(.*)\]$/, '$1')) === 'loopback';
}
