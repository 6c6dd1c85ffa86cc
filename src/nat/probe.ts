// The probe: gathers samples for each local address, over UDP and TCP at once, has them classified, and says
// what that is good for. A full profile takes some 8 round trips, or under 3 s where something keeps silent.
import { setMaxListeners } from 'node:events';
import { abortError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { type LocalAddress, localAddresses, loopbackAddresses } from '../net/interfaces.js';
import { familyOf, ipScope } from '../net/ip-scope.js';
import { classify, externalOf } from './classify.js';
import type { StunServer } from './findings.js';
import { gatherTcp } from './gather-tcp.js';
import { gatherUdp } from './gather-udp.js';
import { type Behaviour, UNKNOWN_BEHAVIOUR } from './profile.js';
import { type Reach, reachOf } from './reach.js';
import type { Samples } from './samples.js';
import { measureUdpLifetime, type UdpLifetime } from './udp-lifetime.js';

export type { StunServer } from './findings.js';

export interface ProbeOptions {
  /** Those of the family of an interface are asked from it; none: everything stays unknown. At most 4 count. */
  readonly servers: readonly StunServer[];
  /** Default: every usable address of this machine; its loopback addresses where all servers are there too. */
  readonly interfaces?: readonly LocalAddress[];
  readonly signal?: AbortSignal | undefined;
  /** All that a probe may take, in milliseconds; what is not known by then is `unknown`. Default: 2,900. */
  readonly limitMs?: number;
  readonly clock?: Clock;
  /** Also measure how long idle UDP mappings live, which takes five minutes. Default: false. */
  readonly udpLifetime?: boolean;
}

/** What is known about one local address. */
export interface InterfaceProfile {
  readonly name: string;
  readonly family: 4 | 6;
  readonly address: string;
  /** As servers see it, by TCP if that gets out; the port is that of the first mapping. Null: not known. */
  readonly external: Endpoint | null;
  readonly udp: Behaviour;
  readonly tcp: Behaviour;
  /** Filled in by who asks gateways; a probe alone knows of none. */
  readonly portMapping: {
    readonly protocol: 'pcp' | 'nat-pmp' | 'upnp-igd' | null;
    readonly external: Endpoint | null;
    /** The gateway's own outside address is private: another NAT stands in front of it. */
    readonly doubleNat?: true;
  };
  /** Only when asked for; null: it could not be measured. */
  readonly udpLifetime?: UdpLifetime | null;
}

export interface ProbeResult {
  readonly interfaces: readonly InterfaceProfile[];
  /** By the interface that promises most. */
  readonly reach: Reach;
}

const LIMIT_MS = 2_900;

/**
 * Finds out what stands in front of this machine. Never fails for what the network does: that is the result.
 * @throws WayleaveError the signal's abort error.
 */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const { servers, clock = systemClock, limitMs = LIMIT_MS, signal } = options;
  if (signal?.aborted) throw abortError(signal);
  using deadline = clock.deadline(limitMs, signal);
  setMaxListeners(0, deadline.signal); // every request of the probe listens to it
  const profiles = await Promise.all(
    (options.interfaces ?? addressesTowards(servers)).map(local =>
      probeAddress(
        local,
        servers.filter(({ endpoint }) => familyOf(endpoint.host) === local.family),
        deadline.signal,
        clock,
      ),
    ),
  );
  if (signal?.aborted) throw abortError(signal);
  const interfaces = options.udpLifetime ? await withLifetimes(profiles, options, clock) : profiles;
  return { interfaces, reach: reachOfBest(interfaces) };
}

async function withLifetimes(
  profiles: readonly InterfaceProfile[],
  { servers, signal }: ProbeOptions,
  clock: Clock,
): Promise<InterfaceProfile[]> {
  return Promise.all(
    profiles.map(async profile => {
      const server = servers.find(({ endpoint }) => familyOf(endpoint.host) === profile.family)?.endpoint;
      const heard = profile.udp.kind !== 'blocked' && profile.udp.samples > 0;
      const task = { localAddress: profile.address, signal, clock };
      const udpLifetime = server && heard ? await measureUdpLifetime({ server, ...task }) : undefined;
      return { ...profile, udpLifetime: udpLifetime ?? null };
    }),
  );
}

function addressesTowards(servers: readonly StunServer[]): LocalAddress[] {
  const here = servers.length > 0 && servers.every(({ endpoint }) => ipScope(endpoint.host) === 'loopback');
  return here ? loopbackAddresses() : localAddresses();
}

async function probeAddress(
  { name, family, address }: LocalAddress,
  servers: readonly StunServer[],
  signal: AbortSignal,
  clock: Clock,
): Promise<InterfaceProfile> {
  const task = { localAddress: address, servers, signal };
  const [udp, tcp] = await Promise.all([gatherUdp(task, clock), gatherTcp(task, clock)]);
  const judge = (samples: Samples, other: Samples): Behaviour =>
    servers.length === 0
      ? UNKNOWN_BEHAVIOUR
      : classify(samples, {
          delivery: other.delivery,
          serversAlive: other.mapping.length > 0,
          served: servers.every(({ transports }) => transports?.includes(samples.transport)),
        });
  return {
    name,
    family,
    address,
    external: externalOf(tcp.mapping) ?? externalOf(udp.mapping) ?? null,
    udp: judge(udp, tcp),
    tcp: judge(tcp, udp),
    portMapping: { protocol: null, external: null },
  };
}

const USEFULNESS = ['direct', 'reverse', 'punch', 'relay', 'none', 'unknown'] as const;

function reachOfBest(profiles: readonly InterfaceProfile[]): Reach {
  const all = profiles.map(({ tcp, udp }) => reachOf(tcp, udp));
  const best = reachOf(UNKNOWN_BEHAVIOUR, UNKNOWN_BEHAVIOUR);
  for (const kind of Object.keys(best) as (keyof Reach)[]) {
    for (const reach of all) {
      if (USEFULNESS.indexOf(reach[kind]) < USEFULNESS.indexOf(best[kind])) best[kind] = reach[kind];
    }
  }
  return best;
}
