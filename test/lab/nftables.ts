// From a NAT's properties to nftables rules that have them, for a gateway whose outer device is `wan0` and
// whose inner one is `lan0`. One clause per property (RFC 4787 sections 4 to 6), put together by `natRules`.
import type { Dependence } from '../../src/nat/profile.js';

type Transport = 'tcp' | 'udp';
const TRANSPORTS: readonly Transport[] = ['tcp', 'udp'];

/** What a gateway does with traffic from inside, whatever NAT it is. */
export type Egress = 'everything' | 'no-udp' | 'web-only';

/** What meets a packet from outside that nothing inside asked for. `kernel`: the gateway's own TCP answers. */
type Unsolicited = 'drop' | 'reject' | 'kernel';

export interface NatRules {
  /** How an external port is chosen (RFC 4787 section 4.2). `sequence`: by steps, counted per transport. */
  readonly ports: 'preserving' | 'random' | { readonly step: number };
  readonly mapping: Exclude<Dependence, 'unknown'>;
  readonly filtering: Exclude<Dependence, 'unknown'>;
  readonly unsolicited: Unsolicited;
  readonly hairpinning: boolean;
  readonly egress: Egress;
  /** Chains for miniupnpd to fill. It wants tables of the `inet` family. */
  readonly portMapping: boolean;
}

/** External ports of a sequential NAT lie here; netlink takes no larger table in one transaction. */
const SEQUENCE_BASE = 20_000;
const SEQUENCE_LENGTH = 1_000;

/** How long a mapping is remembered without traffic from inside (RFC 4787 REQ-5 asks for minutes). */
const REMEMBER = 'flags dynamic,timeout; timeout 300s; size 65535;';

const MINIUPNPD_CHAINS = ['miniupnpd', 'prerouting_miniupnpd', 'postrouting_miniupnpd']
  .map(chain => `\n  chain ${chain} { }`)
  .join('');

/** The IPv4 table of a gateway with address `external`. */
export function natRules(rules: NatRules, external: string): string {
  const { unsolicited, egress, portMapping } = rules;
  return `table ${portMapping ? 'inet' : 'ip'} lab {
${perTransport(memory)}${portMapping ? MINIUPNPD_CHAINS : ''}
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;${portMapping ? '\n    iifname wan0 jump prerouting_miniupnpd' : ''}
${indent(perTransport(transport => inbound(rules, transport, external)))}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname lan0 oifname lan0 ct status dnat snat ip to ${external}${portMapping ? '\n    jump postrouting_miniupnpd' : ''}
    oifname != wan0 return
    ip saddr ${external} return
${indent(perTransport(transport => outbound(rules, transport, external)))}
    snat ip to ${external}
  }
  chain remember {
    type filter hook postrouting priority srcnat + 10; policy accept;
${indent(perTransport(learn))}
  }
${filters(unsolicited, egress, external, portMapping)}
}
`;
}

/** A gateway that translates nothing and, if `stateful`, lets in only what was asked for. */
export function routedRules(family: 4 | 6, stateful: boolean): string {
  if (!stateful) return '';
  // Neighbour discovery and path MTU discovery must live (RFC 4890).
  const icmp = family === 6 ? 'meta l4proto ipv6-icmp accept' : 'meta l4proto icmp accept';
  return `table ${family === 6 ? 'ip6' : 'ip'} lab {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname lan0 accept
    ${icmp}
  }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    ${icmp}
    iifname wan0 drop
  }
}
`;
}

/** mappings: external port to inside endpoint; external: its inverse, per mapping rule; contacted: who may answer. */
const memory = (t: Transport) => `
  map ${t}_mappings { type inet_service : ipv4_addr . inet_service; ${REMEMBER} }
  map ${t}_external { type ipv4_addr . inet_service : ipv4_addr . inet_service; ${REMEMBER} }
  map ${t}_external_for { type ipv4_addr . inet_service . ipv4_addr : ipv4_addr . inet_service; ${REMEMBER} }
  set ${t}_contacted { type inet_service . ipv4_addr; ${REMEMBER} }`;

function learn(t: Transport): string {
  const inside = 'ct original ip saddr . ct original proto-src';
  const outside = 'ct reply ip daddr . ct reply proto-dst';
  const from = `iifname lan0 oifname wan0 meta l4proto ${t} ct direction original`;
  return `${from} update @${t}_mappings { ct reply proto-dst : ${inside} }
${from} update @${t}_external { ${inside} : ${outside} }
${from} update @${t}_external_for { ${inside} . ip daddr : ${outside} }
${from} update @${t}_contacted { ct reply proto-dst . ip daddr }`;
}

function inbound(rules: NatRules, t: Transport, external: string): string {
  const clauses: string[] = [];
  const translate = `dnat ip to ${t} dport map @${t}_mappings`;
  if (rules.filtering === 'endpoint-independent')
    clauses.push(`iifname wan0 ip daddr ${external} ${translate}`);
  if (rules.filtering === 'address-dependent')
    clauses.push(`iifname wan0 ip daddr ${external} ${t} dport . ip saddr @${t}_contacted ${translate}`);
  if (rules.hairpinning) clauses.push(`iifname lan0 ip daddr ${external} ${translate}`);
  return clauses.join('\n');
}

function outbound({ ports, mapping }: NatRules, t: Transport, external: string): string {
  const clauses: string[] = [];
  // Linux keeps a preserved port the same towards everybody by itself; other choices must be remembered.
  if (ports !== 'preserving' && mapping === 'endpoint-independent')
    clauses.push(`snat ip to ip saddr . ${t} sport map @${t}_external`);
  if (ports !== 'preserving' && mapping === 'address-dependent')
    clauses.push(`snat ip to ip saddr . ${t} sport . ip daddr map @${t}_external_for`);
  if (ports === 'random') clauses.push(`meta l4proto ${t} snat ip to ${external}:1024-65535 fully-random`);
  else if (ports !== 'preserving')
    clauses.push(`meta l4proto ${t} snat ip to ${external} : ${sequence(ports.step)}`);
  return clauses.join('\n');
}

function sequence(step: number): string {
  const port = (i: number) => SEQUENCE_BASE + modulo(i * step, SEQUENCE_LENGTH * Math.abs(step));
  const entries = Array.from({ length: SEQUENCE_LENGTH }, (_, i) => `${i} : ${port(i)}`);
  return `numgen inc mod ${SEQUENCE_LENGTH} map { ${entries.join(', ')} }`;
}

function filters(unsolicited: Unsolicited, egress: Egress, external: string, portMapping: boolean): string {
  const answer = {
    drop: 'iifname wan0 drop',
    reject: 'iifname wan0 meta l4proto tcp reject with tcp reset\n    iifname wan0 reject',
    kernel: 'iifname wan0 accept',
  }[unsolicited];
  const allowed = {
    everything: 'iifname lan0 accept',
    'no-udp': 'iifname lan0 meta l4proto != udp accept',
    'web-only': 'iifname lan0 tcp dport { 80, 443 } accept',
  }[egress];
  return `  chain input {
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    iifname lan0 ip daddr ${external} drop
    ${answer}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    ${allowed}
    ct status dnat accept${portMapping ? '\n    jump miniupnpd' : ''}
  }`;
}

const perTransport = (clause: (transport: Transport) => string) =>
  TRANSPORTS.map(clause)
    .filter(text => text !== '')
    .join('\n');
const indent = (text: string) => text.replace(/^(?=.)/gm, '    ');
const modulo = (value: number, by: number) => ((value % by) + by) % by;
