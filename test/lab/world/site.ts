// A site: a gateway of some NAT kind and the hosts on its LAN, attached to the WAN or to another gateway.
import type { NatKind } from '../nat-kinds.js';
import {
  type AddressSpace,
  FIRST_HOST_BYTE,
  GATEWAY_BYTE,
  type Link,
  ROUTED_GATEWAY_BYTE,
} from './addressing.js';
import { Host, type Launch } from './host.js';
import {
  gatewayPlan,
  hostPlan,
  type LanPlan,
  lanPlan,
  type NamespacePlan,
  plugIn,
  type Uplink,
} from './topology.js';

export interface SiteOptions {
  /** 0 to 200, default 1. */
  readonly hosts?: number;
  /** Attach to this site's LAN and not to the WAN. IPv4 only. */
  readonly behind?: Site;
  /** The LAN's first three bytes, for NATed kinds. Default `192.168.N`, N unlike any other site's of the WAN. */
  readonly lan?: string;
  /** Default `benchmark` (198.18/15); `ordinary` for kinds with a port-mapping gateway. */
  readonly addressSpace?: AddressSpace;
}

export class Site {
  readonly name: string;
  readonly kind: NatKind;
  readonly gateway: Host;
  readonly hosts: readonly Host[];
  /** The gateway's outer IPv4 address: global, or in the LAN of the gateway that it is behind. */
  readonly external: string;
  readonly lan: LanPlan;
  /** The name of the WAN link over which it is reached: its own, or that of the site that it is behind. */
  readonly link: string;
  /** Addresses and ports on this LAN that are taken. */
  readonly taken: { nextByte: number; nextPort: number };

  constructor(fields: Omit<Site, 'host'>) {
    this.name = fields.name;
    this.kind = fields.kind;
    this.gateway = fields.gateway;
    this.hosts = fields.hosts;
    this.external = fields.external;
    this.lan = fields.lan;
    this.link = fields.link;
    this.taken = fields.taken;
  }

  /** The first host. */
  get host(): Host {
    const [first] = this.hosts;
    if (!first) throw new Error(`${this.name} has no hosts`);
    return first;
  }
}

interface Declaration {
  readonly name: string;
  readonly kind: NatKind;
  readonly options: SiteOptions;
  /** Undefined when it is behind another site. */
  readonly wanLink: Link | undefined;
  readonly launch: Launch;
}

interface Declared {
  readonly site: Site;
  readonly plans: readonly NamespacePlan[];
  /** `ip` commands per LAN, to run when all namespaces exist. */
  readonly plugs: ReadonlyMap<string, readonly string[]>;
  readonly neighbour: Host | undefined;
}

export function declareSite({ name, kind, options, wanLink, launch }: Declaration): Declared {
  const { hosts: count = 1, behind } = options;
  const gatewayName = `${name}-gateway`;
  const lanName = `${name}-lan`;
  const plugs = new Map<string, string[]>([[lanName, [plugIn('port0')]]]);
  const uplink = behind ? behindGateway(behind, plugs) : { to: 'wan' as const, link: wanLink! };
  const external = uplink.to === 'wan' ? `${uplink.link.prefix4}.1` : uplink.address;
  const lan: LanPlan = {
    namespace: lanName,
    prefix4:
      kind.ipv4 === 'routed' && wanLink
        ? wanLink.prefix4
        : (options.lan ?? `192.168.${wanLink?.number ?? 1}`),
    prefix6: `${wanLink?.prefix6 ?? '2001:db8:0'}:1`,
  };
  const gatewayByte = kind.ipv4 === 'routed' ? ROUTED_GATEWAY_BYTE : GATEWAY_BYTE;
  const gateway = new Host(
    gatewayName,
    kind.ipv4 ? [`${lan.prefix4}.${gatewayByte}`] : [],
    kind.ipv6 ? [`${lan.prefix6}::1`] : [],
    launch,
  );
  const taken = { nextByte: FIRST_HOST_BYTE, nextPort: 1 };
  const plans = [lanPlan(lanName), gatewayPlan(gatewayName, kind, uplink, lan, external)];
  const addHost = (hostName: string): Host => {
    const byte = taken.nextByte++;
    const port = `port${taken.nextPort++}`;
    plans.push(hostPlan(hostName, kind, port, lan, byte));
    plugs.get(lanName)!.push(plugIn(port));
    return new Host(
      hostName,
      kind.ipv4 ? [`${lan.prefix4}.${byte}`] : [],
      kind.ipv6 ? [`${lan.prefix6}::${byte.toString(16)}`] : [],
      launch,
    );
  };
  const hosts = Array.from({ length: count }, (_, i) => addHost(i === 0 ? name : `${name}-${i + 1}`));
  const neighbour = kind.neighbourFlowsPerSecond === undefined ? undefined : addHost(`${name}-neighbour`);
  return {
    site: new Site({ name, kind, gateway, hosts, external, lan, link: behind?.link ?? name, taken }),
    plans,
    plugs,
    neighbour,
  };
}

function behindGateway(outer: Site, plugs: Map<string, string[]>): Uplink {
  const port = `port${outer.taken.nextPort++}`;
  const address = `${outer.lan.prefix4}.${outer.taken.nextByte++}`;
  plugs.set(outer.lan.namespace, [plugIn(port)]);
  return { to: 'lan', lan: outer.lan, port, address, router: outer.gateway.address };
}
