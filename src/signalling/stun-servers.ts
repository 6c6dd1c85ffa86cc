// Which of the STUN servers that a signalling server names may be asked: those at global addresses, and those at
// the signalling server's own address, whatever that is. A name is resolved only if it is the one that the user
// wrote down as the server's; every other name from the wire is passed over.
import { lookup } from 'node:dns/promises';
import { type Endpoint, toEndpoint } from '../net/endpoint.js';
import { canonicalIp, ipScope } from '../net/ip-scope.js';

/** RFC 8489, section 19.2. */
const DEFAULT_PORT = 3478;
const MAX_SERVERS = 8;

/** @param stun `stun:HOST[:PORT]` URLs from a greeting. @param serverUrl of the server that greeted. */
export async function stunServers(stun: readonly string[], serverUrl: string): Promise<Endpoint[]> {
  const own = bare(new URL(serverUrl).hostname);
  const found = await Promise.all(stun.slice(0, MAX_SERVERS).map(url => endpointsOf(url, own)));
  return found.flat().slice(0, MAX_SERVERS);
}

async function endpointsOf(url: string, own: string): Promise<Endpoint[]> {
  const match = /^stun:(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?$/i.exec(url);
  if (!match) return [];
  const host = bare(match[1]!);
  const port = Number(match[2] ?? DEFAULT_PORT);
  const literal = canonicalIp(host);
  if (literal !== undefined) {
    const endpoint = ipScope(literal) === 'global' || host === own ? toEndpoint(literal, port) : undefined;
    return endpoint ? [endpoint] : [];
  }
  if (host !== own) return [];
  const resolved = await lookup(host, { all: true }).catch(() => []);
  return resolved.map(({ address }) => toEndpoint(address, port)).filter(endpoint => endpoint !== undefined);
}

const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
