// The STUN responders of this server, as a source of endpoints for the greeting: with the second port, and the
// second address if there is one, that RFC 5780 needs; one a family where the server listens on all addresses.
import { WayleaveError } from '../src/errors.js';
import { localAddresses } from '../src/net/interfaces.js';
import { type Family, familyOf, ipScope } from '../src/net/ip-scope.js';
import { Scope } from '../src/net/scope.js';
import type { EndpointSource } from './endpoint-sources.js';
import { inUrl, publicHost } from './listening.js';
import type { Log } from './log.js';
import type { ResolvedServerOptions } from './options.js';
import type { StunLimits } from './stun/limits.js';
import { stunMetrics } from './stun/metrics.js';
import { createStunResponder, type StunResponder, type StunResponderOptions } from './stun/responder.js';

const EVERYWHERE = ['0.0.0.0', '::'];

/** @throws WayleaveError `listen-failed`, or `bad-option` for a second address that goes with no first one. */
export async function embeddedStun(
  options: ResolvedServerOptions,
  log: Log,
  shared: Pick<StunResponderOptions, 'neighbour' | 'admits'>,
): Promise<EndpointSource & { readonly port: number }> {
  const { stunPort, stunPortTaken, alternateHost } = options;
  const scope = new Scope(error => log.warn({ error: String(error) }, 'closing STUN'));
  const [host, ...others] = boundHosts(options);
  const second = alternateHost === undefined ? {} : { alternateHost };
  const common = { ...shared, limits: stunLimits(options) };
  const start = (port: number) => createStunResponder({ host: host!, port, ...common, ...second });
  const main = scope.use(
    await start(stunPort ?? 0).catch((error: WayleaveError) => {
      if (stunPortTaken === 'fail' || error.code !== 'listen-failed') throw error;
      log.info({ port: stunPort, reason: error.message }, 'STUN takes another port');
      return start(0);
    }),
  );
  const { port } = main.endpoints[0]!;
  const responders = [main];
  for (const other of others)
    responders.push(...(await alsoOn({ host: other, port, ...common }, scope, log)));
  const url = (address: string) => `stun:${inUrl(address)}:${port}`;
  const everywhere = others.map(familyOf);
  if (EVERYWHERE.includes(host!)) everywhere.push(familyOf(host!));
  const furtherAddresses = others.length > 0 ? globalAddresses(everywhere) : [];
  return {
    port,
    stun: [url(publicHost(options))],
    turn: [],
    endpointsFor: (_, dialled) => ({
      stun: [...new Set([dialled, ...furtherAddresses])].map(url),
      turn: [],
    }),
    metrics: () => stunMetrics(responders),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

function stunLimits(options: ResolvedServerOptions): StunLimits {
  return {
    udp: { burst: options.stunBurst, perSecond: options.stunPerSecond },
    dialBack: { burst: options.stunDialBackBurst, perSecond: options.stunDialBacksPerSecond },
    connections: options.stunConnections,
    connectionsPerSource: options.stunConnectionsPerIp,
    firstRequestMs: options.stunFirstRequestMs,
    idleMs: options.stunIdleMs,
  };
}

/** IPv6 beside IPv4 where the system has it; without it the server does its work all the same. */
async function alsoOn(options: StunResponderOptions, scope: Scope, log: Log): Promise<StunResponder[]> {
  try {
    return [scope.use(await createStunResponder(options))];
  } catch (error) {
    if (!(error instanceof WayleaveError)) throw error;
    log.warn({ host: options.host, port: options.port, reason: error.message }, 'no STUN there');
    return [];
  }
}

/** All addresses, unless one is named: or has to be, since two must be told apart. */
export function boundHosts({ host, alternateHost }: ResolvedServerOptions): string[] {
  if (host !== undefined && ipScope(host) !== 'unspecified') return [host];
  if (alternateHost === undefined) return host === undefined ? EVERYWHERE : [host];
  const first = localAddresses().find(
    ({ family, address }) => family === familyOf(alternateHost) && address !== alternateHost,
  );
  // the other family has no second address to be told from: all of it
  if (first) return [first.address, first.family === 4 ? '::' : '0.0.0.0'];
  throw new WayleaveError('bad-option', `option alternateHost: no other address goes with ${alternateHost}`);
}

function globalAddresses(families: readonly Family[]): string[] {
  return localAddresses()
    .filter(({ scope, family }) => scope === 'global' && families.includes(family))
    .map(({ address }) => address);
}
