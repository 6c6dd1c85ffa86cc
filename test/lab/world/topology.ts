// From what is declared to the commands that build it: pure text, one shell script per batch of namespaces,
// so that a world costs a few processes and not hundreds.
import type { NatKind } from '../nat-kinds.js';
import { VXLAN_PORT, WAN_MAC } from '../wan/frame.js';
import { GATEWAY_BYTE, type Link, ROUTED_GATEWAY_BYTE } from './addressing.js';

/** The tunnel between the world's own namespace, where the WAN process lives, and `underlay`. */
export const WAN_SIDE = '10.255.255.1';
export const UNDERLAY_SIDE = '10.255.255.2';
/** Room for VXLAN's 50 bytes in an ordinary Ethernet frame, rounded down. */
const MTU = 1400;

/** One network namespace: its devices, addresses and rules, as commands for the tools that make them. */
export interface NamespacePlan {
  readonly name: string;
  /** `ip` commands for the world's own namespace that create this namespace's devices. */
  readonly devices: readonly string[];
  /** `ip` commands for the `underlay` namespace: the WAN device. */
  readonly wanDevices: readonly string[];
  /** `ip` commands inside. */
  readonly inside: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly nftables: string;
}

// The kernel takes a veth whose two ends happen to have the same index for a device without a peer, and then
// lets a second pass before it believes in its carrier. No port has such an index.
const INDEX = { lan0: 1000, wan0: 1001, eth0: 1002 };

const HOST_SYSCTLS = {
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv6.conf.all.disable_ipv6': '0',
  'net.ipv6.conf.default.accept_dad': '0',
};
const ROUTER_SYSCTLS = { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' };

/** Builds the tunnel's two ends; comes first in every world. */
export const UNDERLAY_SCRIPT = script('ip -batch -', [
  'netns add underlay',
  'link add wan type veth peer name wan netns underlay',
  `addr add ${WAN_SIDE}/30 dev wan`,
  'link set wan up',
]).concat(
  script('ip -n underlay -batch -', [
    `addr add ${UNDERLAY_SIDE}/30 dev wan`,
    'link set wan up',
    'link set lo up',
  ]),
);

// Without ARP a device sends to its own hardware address; all WAN devices have the same one.
const wanDevice = (namespace: string, { number }: Link) =>
  `link add wan0 netns ${namespace} address ${WAN_MAC} mtu ${MTU} type vxlan id ${number} ` +
  `remote ${WAN_SIDE} local ${UNDERLAY_SIDE} dstport ${VXLAN_PORT} nolearning noudpcsum`;

export function publicHostPlan(name: string, wan: Link, addresses: number): NamespacePlan {
  const own = Array.from({ length: addresses }, (_, i) => i + 1);
  return {
    name,
    devices: [`netns add ${name}`],
    wanDevices: [wanDevice(name, wan)],
    inside: [
      ...LOOPBACK_UP,
      'link set wan0 addrgenmode none',
      'link set wan0 arp off up',
      ...own.map(i => `addr add ${wan.prefix4}.${i}/32 dev wan0`),
      ...own.map(i => `addr add ${wan.prefix6}::${i}/128 dev wan0 nodad`),
      'route add 0.0.0.0/0 dev wan0',
      'route add ::/0 dev wan0',
    ],
    sysctls: HOST_SYSCTLS,
    nftables: '',
  };
}

/** What a gateway's outer side is attached to. */
export type Uplink =
  | { readonly to: 'wan'; readonly link: Link }
  /** Another gateway's LAN, a port free there, our address on it and the other gateway's. */
  | {
      readonly to: 'lan';
      readonly lan: LanPlan;
      readonly port: string;
      readonly address: string;
      readonly router: string;
    };

export interface LanPlan {
  /** Where its switch is. */
  readonly namespace: string;
  /** First three bytes with dots. */
  readonly prefix4: string;
  readonly prefix6: string;
}

export function gatewayPlan(
  name: string,
  kind: NatKind,
  uplink: Uplink,
  lan: LanPlan,
  external: string,
): NamespacePlan {
  const overWan = uplink.to === 'wan';
  const inside = [
    ...LOOPBACK_UP,
    ...['link set lan0 addrgenmode none', `link set lan0 mtu ${MTU} up`],
    'link set wan0 addrgenmode none',
    `link set wan0 ${overWan ? 'arp off ' : ''}mtu ${MTU} up`,
  ];
  if (kind.ipv4) {
    inside.push(`addr add ${external}/${overWan ? 32 : 24} dev wan0`);
    inside.push(`addr add ${lan.prefix4}.${routerByte(kind)}/24 dev lan0`);
    inside.push(overWan ? 'route add 0.0.0.0/0 dev wan0' : `route add 0.0.0.0/0 via ${uplink.router}`);
  }
  if (kind.ipv6 && uplink.to === 'wan') {
    inside.push(`addr add ${uplink.link.prefix6}::1/128 dev wan0 nodad`, 'route add ::/0 dev wan0');
    inside.push(`addr add ${lan.prefix6}::1/64 dev lan0 nodad`);
    // Neighbours are solicited from a link-local address; without one they are soon forgotten for good.
    inside.push('addr add fe80::1/64 dev lan0 nodad');
  }
  return {
    name,
    devices: [
      `netns add ${name}`,
      cable(name, 'lan0', lan.namespace, 'port0'),
      ...(overWan ? [] : [cable(name, 'wan0', uplink.lan.namespace, uplink.port)]),
    ],
    wanDevices: overWan ? [wanDevice(name, uplink.link)] : [],
    inside,
    sysctls: { ...HOST_SYSCTLS, ...ROUTER_SYSCTLS, ...kind.sysctls },
    nftables: kind.nftables(external),
  };
}

/**
 * A site's LAN: a bridge in a namespace of its own. Were it the gateway's own bridge, the kernel could send
 * what passes between two ports through the gateway's rules (br_netfilter), and its device would start to
 * work only a second after its first port.
 */
export function lanPlan(name: string): NamespacePlan {
  return {
    name,
    devices: [`netns add ${name}`],
    wanDevices: [],
    inside: ['link add switch type bridge mcast_snooping 0', `link set switch mtu ${MTU} up`],
    sysctls: { 'net.ipv6.conf.default.disable_ipv6': '1' },
    nftables: '',
  };
}

/** A cable from `device` in one namespace to `port` in a LAN's. */
const cable = (namespace: string, device: keyof typeof INDEX, lan: string, port: string) =>
  `link add ${device} netns ${namespace} index ${INDEX[device]} type veth peer name ${port} netns ${lan}`;

/** Plugs a cable's end into its LAN's switch. */
export const plugIn = (port: string) => `link set ${port} mtu ${MTU} master switch up`;

export function hostPlan(
  name: string,
  kind: NatKind,
  port: string,
  lan: LanPlan,
  byte: number,
): NamespacePlan {
  const inside = [...LOOPBACK_UP, 'link set eth0 addrgenmode none', `link set eth0 mtu ${MTU} up`];
  if (kind.ipv4) {
    inside.push(`addr add ${lan.prefix4}.${byte}/24 dev eth0`);
    inside.push(`route add 0.0.0.0/0 via ${lan.prefix4}.${routerByte(kind)}`);
  }
  if (kind.ipv6) {
    inside.push(`addr add ${lan.prefix6}::${byte.toString(16)}/64 dev eth0 nodad`);
    inside.push(`addr add fe80::${byte.toString(16)}/64 dev eth0 nodad`);
    inside.push(`route add ::/0 via ${lan.prefix6}::1`);
  }
  return {
    name,
    devices: [`netns add ${name}`, cable(name, 'eth0', lan.namespace, port)],
    wanDevices: [],
    inside,
    sysctls: HOST_SYSCTLS,
    nftables: '',
  };
}

const LOOPBACK_UP = ['link set lo up'];
const routerByte = (kind: NatKind) => (kind.ipv4 === 'routed' ? ROUTED_GATEWAY_BYTE : GATEWAY_BYTE);

/** The script that makes all these namespaces. `plugs`: `ip` commands per LAN, run last. */
export function buildScript(
  plans: readonly NamespacePlan[],
  plugs: ReadonlyMap<string, readonly string[]>,
): string {
  const parts = [
    script(
      'ip -batch -',
      plans.flatMap(plan => plan.devices),
    ),
    script(
      'ip -n underlay -batch -',
      plans.flatMap(plan => plan.wanDevices),
    ),
  ];
  for (const { name, inside, sysctls, nftables, wanDevices } of plans) {
    const writes = Object.entries(sysctls).map(
      ([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`,
    );
    // A tunnelled packet must leave the kernel whole and with its checksum filled in.
    const offload =
      wanDevices.length > 0 ? ['ethtool -K wan0 tx off tso off gso off gro off >/dev/null'] : [];
    const rules = nftables === '' ? [] : [script('nft -f -', [nftables])];
    const commands = [...writes, ...offload, script('ip -batch -', [...inside]), ...rules].join('\n');
    parts.push(`nsenter --net=/run/netns/${name} sh -e <<'IN_${name}'\n${commands}\nIN_${name}\n`);
  }
  for (const [lan, commands] of plugs) parts.push(script(`ip -n ${lan} -batch -`, [...commands]));
  for (const lan of plugs.keys()) parts.push(awaitPorts(lan));
  return parts.join('');
}

// The kernel opens a bridge's ports a moment after they are plugged in, later on a busy machine. Who asks for
// an address (ARP) before that is not heard and asks again only after a second.
const awaitPorts = (lan: string) =>
  `tries=0; while [ $tries -lt 1000 ] && bridge -n ${lan} link | grep -q 'state disabled'; do ` +
  'tries=$((tries + 1)); sleep 0.005; done\n';

function script(command: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${command} <<'END'\n${lines.join('\n')}\nEND\n`;
}
