// The relay's parts put together from its options, and the clockwork that lets everything run out in time.
import { WayleaveError } from '../../src/errors.js';
import type { Clock } from '../../src/net/clock.js';
import { localAddresses } from '../../src/net/interfaces.js';
import { canonicalIp, type Family, familyOf, ipScope } from '../../src/net/ip-scope.js';
import { endAllocation, heldBy, type RelayCore, type RelayHost } from './core.js';
import { newCounters } from './counters.js';
import { DEFAULT_RELAY_LIMITS } from './limits.js';
import { Nonces } from './nonces.js';
import { PeerPolicy } from './peer-policy.js';
import { Quotas } from './quotas.js';
import type { RelayOptions } from './relay.js';
import { RelayPorts } from './relay-ports.js';

const SWEEP_MS = 1_000;

/** @throws WayleaveError `bad-option` */
export function newCore(options: RelayOptions, secret: string, clock: Clock): RelayCore {
  const limits = { ...DEFAULT_RELAY_LIMITS, ...options.limits };
  const hosts = relayHosts(options);
  const ownHosts = [...hosts.values()].flatMap(({ bound, announced }) => [bound, announced]);
  const { allowPrivatePeers, allowLoopbackPeers } = options;
  return {
    realm: options.realm ?? 'wayleave',
    secret,
    hosts,
    limits,
    counters: newCounters(),
    policy: new PeerPolicy({ ownHosts, allowPrivatePeers, allowLoopbackPeers }),
    quotas: new Quotas(limits),
    nonces: new Nonces(),
    ports: new RelayPorts(options.relayPorts),
    clock,
    udpAllocations: new Map(),
    tcpAllocations: new Map(),
    awaited: new Map(),
    sessions: new Set(),
  };
}

/** Ends what has run out, once a second, until the signal. */
export async function sweep(core: RelayCore, signal: AbortSignal): Promise<void> {
  const { clock } = core;
  while (!signal.aborted) {
    await clock.sleep(SWEEP_MS, signal).catch(() => {});
    const nowMs = clock.now();
    core.ports.sweep(nowMs);
    for (const session of [...core.sessions]) {
      const held = heldBy(session);
      if (held && nowMs >= held.expiresMs) endAllocation(core, session);
      else held?.allocation.sweep(nowMs);
    }
  }
}

function relayHosts({ host, publicHost }: RelayOptions): ReadonlyMap<Family, RelayHost> {
  const announced = listOf(publicHost).map(canonical);
  const hosts = new Map<Family, RelayHost>();
  for (const bound of listOf(host).map(canonical)) {
    const family = familyOf(bound);
    if (hosts.has(family)) throw new WayleaveError('bad-option', `two relay hosts of IPv${family}`);
    const known = announced.find(each => familyOf(each) === family);
    hosts.set(family, { bound, announced: known ?? reachable(bound, family) });
  }
  if (hosts.size === 0) throw new WayleaveError('bad-option', 'a relay needs a host');
  return hosts;
}

// Relayed addresses must be addresses: behind 0.0.0.0 and :: stands the machine's own, a global one if it has one.
function reachable(bound: string, family: Family): string {
  if (ipScope(bound) !== 'unspecified') return bound;
  const own = localAddresses().filter(each => each.family === family);
  const best = own.find(({ scope }) => scope === 'global') ?? own[0];
  return best?.address ?? (family === 4 ? '127.0.0.1' : '::1');
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function canonical(host: string): string {
  const address = canonicalIp(host);
  if (address === undefined) throw new WayleaveError('bad-option', `${host} is not an IP address`);
  return address;
}
