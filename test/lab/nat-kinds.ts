// The one table of what can stand between a host and the internet: each row says what it is, in RFC 4787's
// words and in nftables', what a probe must find, and who makes such devices. The laboratory builds from it,
// its self-test measures against it, and docs/laboratory.md is generated from it.
import type { Behaviour } from '../../src/nat/profile.js';
import { type Egress, type NatRules, natRules, routedRules } from './nftables.js';

/** What a probe must find; what is absent is not prescribed. */
export type ExpectedBehaviour = Partial<Omit<Behaviour, 'samples' | 'confidence'>> & Pick<Behaviour, 'kind'>;

interface ExpectedProfile {
  readonly udp: ExpectedBehaviour;
  readonly tcp: ExpectedBehaviour;
}

export interface NatKind {
  /** In RFC 4787's words. */
  readonly rfc4787: string;
  /** Who makes such devices. */
  readonly makers: string;
  /** How IPv4 gets through; null: there is none. `routed`: hosts have global addresses. */
  readonly ipv4: 'nat' | 'routed' | null;
  readonly ipv6: 'routed' | null;
  /** What its hosts may send out. */
  readonly egress: Egress;
  /** The gateway's whole ruleset, given its external IPv4 address. */
  readonly nftables: (external: string) => string;
  /** Set on the gateway. Keys as sysctl(8) writes them. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly profile: { readonly 4?: ExpectedProfile; readonly 6?: ExpectedProfile };
  /** This gateway sits behind another one, the carrier's, of that kind. */
  readonly carrier?: NatKind;
  /** A neighbour on the same LAN opens this many flows a second. */
  readonly neighbourFlowsPerSecond?: number;
  /** The gateway runs this daemon and offers port mappings. */
  readonly portMapping?: 'miniupnpd';
}

const HOME: NatRules = {
  ports: 'preserving',
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  unsolicited: 'drop',
  hairpinning: false,
  egress: 'everything',
  portMapping: false,
};

/** An IPv4 NAT with these properties; its profile follows from them. */
function nat(change: Partial<NatRules>, words: Pick<NatKind, 'rfc4787' | 'makers'>): NatKind {
  const rules = { ...HOME, ...change };
  const { ports, mapping, filtering, hairpinning, unsolicited } = rules;
  const behaviour: ExpectedBehaviour = {
    kind: 'nat',
    mapping,
    filtering,
    ports: typeof ports === 'object' ? { pattern: 'delta', delta: ports.step } : { pattern: ports },
    hairpinning,
  };
  return {
    ...words,
    ipv4: 'nat',
    ipv6: null,
    egress: rules.egress,
    nftables: external => natRules(rules, external),
    sysctls: {},
    profile: {
      4: {
        udp: rules.egress === 'everything' ? behaviour : { kind: 'blocked' },
        tcp: { ...behaviour, unsolicitedSyn: unsolicited === 'drop' ? 'drop' : 'reset' },
      },
    },
  };
}

const OPEN: ExpectedBehaviour = {
  kind: 'open',
  mapping: 'endpoint-independent',
  filtering: 'endpoint-independent',
  ports: { pattern: 'preserving' },
};
const FIREWALLED: ExpectedBehaviour = {
  kind: 'firewall',
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { pattern: 'preserving' },
};
const FIREWALLED_BOTH: ExpectedProfile = { udp: FIREWALLED, tcp: { ...FIREWALLED, unsolicitedSyn: 'drop' } };

/** A NAT that gives each new destination the next port. Any step but 0; negative ones count down. */
export function symmetricSequential(step: number): NatKind {
  return nat(
    { ports: { step }, mapping: 'address-and-port-dependent' },
    {
      rfc4787: `address-and-port-dependent mapping, ports in steps of ${step}, address-and-port-dependent filtering`,
      makers: 'older corporate firewalls and carrier NATs that allocate ports in turn',
    },
  );
}

/** The same kind with another life time of idle TCP mappings, after which nothing revives them. */
export function withLifetime(kind: NatKind, seconds: number): NatKind {
  return {
    ...kind,
    sysctls: {
      ...kind.sysctls,
      'net.netfilter.nf_conntrack_tcp_timeout_established': String(seconds),
      'net.netfilter.nf_conntrack_tcp_loose': '0',
    },
  };
}

const home = nat(
  {},
  {
    rfc4787: 'endpoint-independent mapping, port preservation, address-and-port-dependent filtering',
    makers: 'most home routers (Linux masquerade behind a dropping firewall)',
  },
);

const carrierGrade = nat(
  { ports: 'random' },
  {
    rfc4787: 'endpoint-independent mapping with random ports, address-and-port-dependent filtering',
    makers: 'carrier NATs (RFC 6056 randomisation)',
  },
);

export const NAT_KINDS = {
  open: {
    rfc4787: 'no NAT, no filtering',
    makers: 'servers, some universities',
    ipv4: 'routed',
    ipv6: null,
    egress: 'everything',
    nftables: () => routedRules(4, false),
    sysctls: {},
    profile: { 4: { udp: OPEN, tcp: OPEN } },
  },
  firewall: {
    rfc4787: 'no NAT, address-and-port-dependent filtering',
    makers: 'offices and clouds with global addresses behind a stateful firewall',
    ipv4: 'routed',
    ipv6: null,
    egress: 'everything',
    nftables: () => routedRules(4, true),
    sysctls: {},
    profile: { 4: FIREWALLED_BOTH },
  },
  'full-cone': nat(
    { filtering: 'endpoint-independent' },
    {
      rfc4787: 'endpoint-independent mapping and filtering (a mapping lets everybody in)',
      makers: 'game-friendly home routers, carrier NATs set up by RFC 6888',
    },
  ),
  'address-restricted': nat(
    { filtering: 'address-dependent' },
    {
      rfc4787: 'endpoint-independent mapping, address-dependent filtering',
      makers: 'some home routers, as RFC 4787 REQ-8 allows',
    },
  ),
  'port-restricted-drop': home,
  'port-restricted-reset': nat(
    { unsolicited: 'kernel' },
    {
      rfc4787:
        'as port-restricted-drop, but the device itself answers unsolicited SYNs, with RST, and remembers them',
      makers: 'Linux boxes with masquerade and an open INPUT chain',
    },
  ),
  'port-restricted-reject': nat(
    { unsolicited: 'reject' },
    {
      rfc4787: 'as port-restricted-drop, but unsolicited SYNs are rejected with RST',
      makers: 'OpenWrt as delivered (`input REJECT` on wan)',
    },
  ),
  'random-ports': carrierGrade,
  'address-dependent': nat(
    { ports: 'random', mapping: 'address-dependent', filtering: 'address-dependent' },
    {
      rfc4787: 'address-dependent mapping and filtering, random ports',
      makers: 'rare; some firewalls with per-host translation tables',
    },
  ),
  'symmetric-random': nat(
    { ports: 'random', mapping: 'address-and-port-dependent' },
    {
      rfc4787: 'address-and-port-dependent mapping and filtering, random ports',
      makers: 'pfSense and OPNsense as delivered, AWS NAT gateways, many mobile carriers',
    },
  ),
  'symmetric-up': symmetricSequential(1),
  'symmetric-up-4': symmetricSequential(4),
  'symmetric-down': symmetricSequential(-2),
  'symmetric-busy': { ...symmetricSequential(1), neighbourFlowsPerSecond: 10 },
  hairpin: nat(
    { hairpinning: true },
    {
      rfc4787: 'as port-restricted-drop, with hairpinning (section 6)',
      makers: 'better home routers ("NAT loopback")',
    },
  ),
  'double-nat': {
    ...home,
    rfc4787: 'port-restricted-drop behind random-ports: two translations, the outer one decides',
    makers: 'a home router behind a carrier NAT (100.64.0.0/10 between them)',
    carrier: carrierGrade,
    profile: {
      4: {
        udp: { ...home.profile[4]!.udp, ports: { pattern: 'random' } },
        tcp: { ...home.profile[4]!.tcp, ports: { pattern: 'random' } },
      },
    },
  },
  'udp-blocked': nat(
    { egress: 'no-udp' },
    {
      rfc4787: 'as port-restricted-drop for TCP; UDP does not get out',
      makers: 'company networks',
    },
  ),
  'web-only': nat(
    { egress: 'web-only' },
    {
      rfc4787: 'only TCP to ports 80 and 443 gets out',
      makers: 'hotels, strict company networks, captive portals',
    },
  ),
  'ipv6-firewall': {
    rfc4787: 'IPv6 only: no NAT, address-and-port-dependent filtering (RFC 6092)',
    makers: 'home and mobile networks without IPv4',
    ipv4: null,
    ipv6: 'routed',
    egress: 'everything',
    nftables: () => routedRules(6, true),
    sysctls: {},
    profile: { 6: FIREWALLED_BOTH },
  },
  'dual-stack': {
    ...home,
    rfc4787: 'IPv4 as port-restricted-drop, IPv6 as ipv6-firewall',
    makers: 'most home networks with IPv6',
    ipv6: 'routed',
    nftables: external => home.nftables(external) + routedRules(6, true),
    profile: { ...home.profile, 6: FIREWALLED_BOTH },
  },
  'port-mapping': {
    ...nat(
      { portMapping: true },
      {
        rfc4787: 'as port-restricted-drop, and opens ports on request (UPnP IGD, NAT-PMP, PCP)',
        makers: 'home routers with UPnP left on (miniupnpd is in most of them)',
      },
    ),
    portMapping: 'miniupnpd',
  },
  'short-lived': {
    ...withLifetime(home, 60),
    rfc4787: 'as port-restricted-drop; idle TCP mappings end after 60 s (RFC 5382 REQ-5 asks for two hours)',
    makers: 'overloaded carrier NATs, cheap routers',
  },
} satisfies Record<string, NatKind>;

export type NatKindName = keyof typeof NAT_KINDS;

export function natKind(name: NatKindName): NatKind {
  return NAT_KINDS[name];
}

/** The rows and columns of the matrix unless more or fewer are asked for: the common, and the telling. */
export const DEFAULT_KINDS: readonly NatKindName[] = [
  'open',
  'firewall',
  'full-cone',
  'address-restricted',
  'port-restricted-drop',
  'port-restricted-reset',
  'double-nat',
  'symmetric-up',
  'symmetric-random',
  'udp-blocked',
  'web-only',
  'dual-stack',
];
