// The relay of this server (TURN), on the ports of its STUN responder: what each node is told of it, with credentials
// of its own that live for an hour. With a secret and URLs configured, a coturn with `use-auth-secret` stands in its place.
import { systemClock } from '../src/net/clock.js';
import { canonicalIp } from '../src/net/ip-scope.js';
import type { Certificate } from './certificate.js';
import type { EndpointSource } from './endpoint-sources.js';
import { inUrl, publicHost } from './listening.js';
import type { ResolvedServerOptions } from './options.js';
import { issue, MAX_CREDENTIAL_S } from './turn/credentials.js';
import type { RelayLimits } from './turn/limits.js';
import { createRelay, type Relay } from './turn/relay.js';

/** A relay that waits to be handed the traffic of ports that others listen on. @throws WayleaveError `bad-option`. */
export function embeddedRelay(
  options: ResolvedServerOptions,
  hosts: readonly string[],
  certificate: Certificate | undefined,
): Promise<Relay> {
  const { publicHosts, relayPorts, relayToPrivate, turnSecret } = options;
  const literals = publicHosts.map(host => canonicalIp(host)).filter(host => host !== undefined);
  return createRelay({
    host: hosts,
    listen: false,
    relayPorts,
    allowPrivatePeers: relayToPrivate,
    ...(literals.length > 0 && { publicHost: literals }),
    ...(turnSecret !== undefined && { secret: turnSecret }),
    ...(certificate && { tls: { context: () => certificate.context } }),
    limits: relayLimits(options),
  });
}

function relayLimits(options: ResolvedServerOptions): RelayLimits {
  const orNoCap = (bytes: number) => (bytes === 0 ? Number.POSITIVE_INFINITY : bytes);
  return {
    allocations: options.relayAllocations,
    allocationsPerUser: options.relayAllocationsPerUser,
    allocationsPerSource: options.relayAllocationsPerIp,
    permissions: options.relayPermissions,
    channels: options.relayChannels,
    connectionsPerAllocation: options.relayConnectionsPerAllocation,
    connections: options.relayConnections,
    connectionsPerSource: options.relayConnectionsPerIp,
    idleConnectionMs: options.relayIdleConnectionMs,
    lifetimeS: options.relayLifetimeS,
    bytesPerSecond: orNoCap(options.relayBytesPerSecond),
    bytesPerSecondPerUser: orNoCap(options.relayBytesPerSecondPerUser),
    challenges: { burst: options.relayChallengeBurst, perSecond: options.relayChallengesPerSecond },
  };
}

/** What the greeting says of a relay that shares this port. */
export function relayEndpoints(options: ResolvedServerOptions, relay: Relay, port: number): EndpointSource {
  const urls = (host: string) => [
    `turn:${inUrl(host)}:${port}?transport=tcp`,
    `turn:${inUrl(host)}:${port}?transport=udp`,
    ...(options.tls ? [`turns:${inUrl(host)}:${port}?transport=tcp`] : []),
  ];
  return {
    stun: [],
    turn: urls(publicHost(options)),
    endpointsFor: (id, dialled, host) => ({
      stun: [],
      turn: [{ ...relay.grant(id, { host }), urls: urls(dialled) }],
    }),
    metrics: () => relay.metrics(),
    [Symbol.asyncDispose]: () => relay.close(),
  };
}

/** Relays of others that share a secret with us (the TURN REST convention). */
export function foreignRelays({ turnUrls, turnSecret }: ResolvedServerOptions): EndpointSource | undefined {
  if (turnUrls.length === 0 || turnSecret === undefined) return undefined;
  return {
    stun: [],
    turn: turnUrls,
    endpointsFor: id => ({
      stun: [],
      turn: [{ ...issue(turnSecret, id, MAX_CREDENTIAL_S, systemClock.wall()), urls: [...turnUrls] }],
    }),
    async [Symbol.asyncDispose]() {},
  };
}
