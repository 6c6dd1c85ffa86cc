// A profile for people: a table, and under it what each line means for somebody who only wants to connect.
import Table from 'cli-table3';
import type { InterfaceProfile, ProbeResult } from '../nat/probe.js';
import type { Behaviour } from '../nat/profile.js';
import type { PeerKind, Reach } from '../nat/reach.js';
import { formatEndpoint } from '../net/endpoint.js';
import { pc } from './colours.js';

export function picture({ interfaces, reach }: ProbeResult): string {
  const table = new Table({
    head: ['interface', 'address', 'seen as', 'UDP', 'TCP', 'router opens'],
    style: pc.isColorSupported ? { head: ['bold'] } : { head: [], border: [] },
  });
  for (const each of interfaces) {
    const { name, address, external, udp, tcp } = each;
    const seen = external ? formatEndpoint(external) : '–';
    table.push([name, address, seen, behaviour(udp), behaviour(tcp), offer(each)]);
  }
  const meanings = interfaces.map(each => {
    return `  ${pc.bold(each.address)}  ${meaningOf(each)}${offerMeaning(each)}${memoryOf(each)}`;
  });
  return [
    table.toString(),
    '',
    pc.bold('What this means for you'),
    ...(meanings.length > 0 ? meanings : ['  This machine has no usable address.']),
    '',
    pc.bold('How a connection from here to somebody else would be made'),
    ...Object.entries(PEERS).map(([kind, who]) => `  ${who.padEnd(WIDTH)}  ${WAYS[reach[kind as PeerKind]]}`),
  ].join('\n');
}

function behaviour({
  kind,
  mapping,
  filtering,
  ports,
  hairpinning,
  unsolicitedSyn,
  egress,
  confidence,
}: Behaviour): string {
  if (kind === 'unknown' && mapping === 'unknown') return pc.dim('unknown');
  if (kind === 'blocked') return pc.red('blocked');
  const colour = kind === 'open' ? pc.green : pc.yellow;
  const step = ports.delta === undefined ? '' : ` ${ports.delta > 0 ? '+' : ''}${ports.delta}`;
  return [
    `${colour(kind)} ${pc.dim(`(${Math.round(confidence * 100)} % sure)`)}`,
    `mapping   ${mapping}`,
    `filtering ${filtering}`,
    `ports     ${ports.pattern}${step}`,
    ...(hairpinning === null ? [] : [`hairpin   ${hairpinning ? 'yes' : 'no'}`]),
    ...(unsolicitedSyn === 'unknown' ? [] : [`uninvited ${unsolicitedSyn}`]),
    ...(egress === 'web-only' ? ['gets out  to ports 80 and 443'] : []),
  ].join('\n');
}

function meaningOf({ tcp, udp }: InterfaceProfile): string {
  const { mapping, filtering, ports } = tcp;
  if (tcp.egress === 'web-only')
    return 'Only the web gets out from here (TCP to ports 80 and 443). A relay at one of these ports carries your connections.';
  switch (tcp.kind) {
    case 'open':
      return 'Nothing stands in the way: anybody can connect to you directly.';
    case 'firewall':
      return 'You have an address of your own, but a firewall lets in only answers to what you send. Others reach you when both sides knock at the same time.';
    case 'blocked':
      return udp.kind === 'blocked'
        ? 'Nothing gets out from here to that server. Another network, or a server on port 443, may help.'
        : 'TCP does not get out from here to that server; only a relay over what remains can help.';
    case 'unknown':
      if (tcp.samples + udp.samples === 0) return 'No server answered over this kind of address.';
      return 'Not enough could be seen. A server with two addresses shows more.';
    default:
  }
  if (filtering === 'endpoint-independent') {
    return 'Your router lets everybody in through a port that you opened: others can connect to you directly.';
  }
  if (mapping === 'endpoint-independent') {
    return 'An ordinary home router: it lets in only answers. Others reach you when both sides knock at the same time, which works with most people.';
  }
  if (mapping === 'unknown')
    return 'A router translates your address; how it treats others could not be seen.';
  return ports.pattern === 'delta'
    ? 'Your router takes a new port for everybody you talk to, one after another. The next one can be predicted, so most people can still be reached.'
    : 'Your router takes a new random port for everybody you talk to. You reach people with friendlier routers; with the same kind on both sides, a relay carries the traffic.';
}

function offer({ portMapping: { protocol, external } }: InterfaceProfile): string {
  return protocol && external ? `${formatEndpoint(external)}\nby ${PROTOCOLS[protocol]}` : '–';
}

function offerMeaning({ portMapping: { protocol, external, doubleNat } }: InterfaceProfile): string {
  if (!protocol || !external) return '';
  return doubleNat
    ? ` Your router opens ports when asked, but its own outside address (${external.host}) is private: another router in front of it lets nobody in.`
    : ` Your router opens ports when asked (${PROTOCOLS[protocol]}): others can connect directly to a node that runs here.`;
}

const PROTOCOLS = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', 'upnp-igd': 'UPnP' } as const;

function memoryOf({ udpLifetime }: InterfaceProfile): string {
  if (udpLifetime === undefined) return '';
  if (udpLifetime === null) return ' How long idle UDP mappings live could not be measured.';
  const { atLeastS, lessThanS } = udpLifetime;
  const end = lessThanS === null ? '' : `, but less than ${lessThanS} s`;
  return ` Idle UDP mappings live at least ${atLeastS} s${end}.`;
}

const PEERS: Record<PeerKind, string> = {
  open: 'with nothing in front',
  firewall: 'behind a firewall, without NAT',
  'full-cone': 'whose router lets everybody in',
  'address-restricted': 'whose router lets in whom it knows',
  'port-restricted': 'behind an ordinary home router',
  'symmetric-sequential': 'whose router takes ports in turn',
  'symmetric-random': 'whose router takes random ports',
  blocked: 'who only gets to a server',
};
const WIDTH = Math.max(...Object.values(PEERS).map(text => text.length));

const WAYS: Record<Reach[PeerKind], string> = {
  direct: pc.green('directly'),
  reverse: pc.green('they connect to you, when asked'),
  punch: pc.green('both sides at the same time (hole punching)'),
  relay: pc.yellow('through a relay'),
  none: pc.red('not at all'),
  unknown: pc.dim('not known'),
};
