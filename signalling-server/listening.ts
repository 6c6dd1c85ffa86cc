// Where the server listens, and how it names that to people and scripts.
import { localAddresses } from '../src/net/interfaces.js';
import { familyOf, ipScope } from '../src/net/ip-scope.js';
import { bareHost } from './admission.js';
import type { EndpointSource } from './endpoint-sources.js';
import type { ResolvedServerOptions } from './options.js';

export interface Listening {
  /** `ws://host:port` or `wss://host:port`: what nodes take as `--server`. */
  readonly signalling: string;
  readonly stun: readonly string[];
  readonly turn: readonly string[];
  readonly metrics: string;
  readonly health: string;
}

export function listeningUrls(
  options: Pick<ResolvedServerOptions, 'host' | 'publicHosts' | 'tls'>,
  port: number,
  sources: readonly EndpointSource[],
): Listening {
  const authority = `${inUrl(publicHost(options))}:${port}`;
  const s = options.tls ? 's' : '';
  return {
    signalling: `ws${s}://${authority}`,
    stun: sources.flatMap(({ stun }) => stun),
    turn: sources.flatMap(({ turn }) => turn),
    metrics: `http${s}://${authority}/metrics`,
    health: `http${s}://${authority}/healthz`,
  };
}

/** The name to hand out: the configured one, the address listened on, or the first that others could reach. */
export function publicHost({
  host,
  publicHosts,
}: Pick<ResolvedServerOptions, 'host' | 'publicHosts'>): string {
  if (publicHosts[0] !== undefined) return bareHost(publicHosts[0]);
  if (host !== undefined && ipScope(host) !== 'unspecified') return host;
  return localAddresses().find(({ family }) => family === 4)?.address ?? '127.0.0.1';
}

/** An IPv6 address takes brackets in a URL. */
export function inUrl(host: string): string {
  return familyOf(host) === 6 ? `[${host}]` : host;
}
