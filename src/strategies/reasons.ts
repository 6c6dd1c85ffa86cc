// Why an attempt ended as it did, or a strategy is ruled out: one closed list, which `connect` reports,
// `wayleave explain` predicts with, and docs/reasons.md prints.
import { WayleaveError } from '../errors.js';

/** Each reason and what it means, in words for the person who asks "why?". */
export const REASONS = {
  connected: 'It brought up the connection.',
  'same-machine': 'Both nodes run on this machine.',
  'same-network': 'Both nodes are on one network.',
  'same-outside-address': 'Both nodes are seen at one outside address, so that they may be on one network.',
  'open-port': 'The other node takes connections at an address that can be dialled from here.',
  'unproved-port': 'The other node names a port at which it may be reached; nobody has proved it.',
  'self-open-port': 'This node takes connections at an address that the other can dial.',
  'unknown-nat': 'It is not known what stands in front of the node, so it is worth a try.',
  'known-ports': 'Both sides know beforehand which port the other will come from.',
  'open-door': 'One side’s NAT lets a peer in from any of its ports, once it has heard of it.',
  'predictable-ports': 'A NAT gives ports in sequence, so the next ones can be predicted.',
  'random-ports': 'One NAT gives random ports: many tries on both sides meet by chance (birthday paradox).',
  'random-ports-both': 'Both NATs give random ports to each destination: nobody can aim.',
  'random-and-changing-ports':
    'One NAT gives random ports and the other a new one to each destination: nobody can aim.',
  'tcp-blocked': 'No TCP gets out of one of the networks, except perhaps to a few ports.',
  'only-web-out':
    'One network lets nothing out but the web (TCP to ports 80 and 443), and the other node is at other ports.',
  'not-measured':
    'What stands in front of one node is not known: its signalling server names no STUN server.',
  'no-hairpinning': 'Both nodes are behind one NAT, which does not send packets back inside.',
  'common-nat': 'Both nodes are behind one NAT; whether it sends packets back inside could not be measured.',
  'hole-not-made': 'The two sides dialled each other and never met.',
  'relay-available': 'Both nodes reach a relay, which carries what it cannot read.',
  'no-relay': 'The other node has no relay: its signalling server offers none.',
  'self-no-relay': 'This node has no relay: no signalling server that it is registered with offers one.',
  'relay-certificate':
    'The relay’s certificate is not trusted here: it is expired, for another name, or of an authority unknown to ' +
    'Node.js (NODE_EXTRA_CA_CERTS names further ones).',
  'not-listening': 'The other node takes no inbound connections.',
  'self-not-listening': 'This node takes no inbound connections, so it cannot be called back.',
  'behind-nat': 'The other node is behind a NAT, and no port of that NAT leads to it.',
  'self-behind-nat': 'This node is behind a NAT, and no port of that NAT leads to it.',
  'behind-firewall': 'A firewall keeps unasked-for connections from the other node.',
  'self-behind-firewall': 'A firewall keeps unasked-for connections from this node.',
  'no-common-family': 'One node has only IPv4 and the other only IPv6.',
  'no-signalling': 'The two nodes have no signalling server through which they could arrange it.',
  'not-supported': 'The other node does not offer this strategy.',
  'connection-refused': 'The other machine answered that nothing listens there.',
  'no-answer': 'Nothing came back: a firewall drops it, or the machine is gone.',
  unreachable: 'The network has no way to that address.',
  'dial-failed': 'The connection could not be made; the detail holds the system’s word for it.',
  'wrong-identity': 'Something answered there, and it was not the node of that address.',
  'handshake-failed': 'Something answered there that does not speak this protocol, or broke off.',
  'handshake-timeout': 'Something accepted the connection there and then kept silent.',
  'peer-refused': 'The other node does not admit this node.',
  'peer-not-registered': 'The signalling server does not know the other node at this moment.',
  'server-unreachable': 'No signalling server in common could be reached.',
  'server-refused': 'The signalling server turned the request down.',
  'rate-limited': 'Too many requests; the other side or the server asks for patience.',
  'policy-refused':
    'The other node may not dial what it was asked to: the server saw the request come from elsewhere.',
  'nobody-vouches':
    'The two nodes meet at an MQTT broker, which does not say where a request comes from, so the other node dials nobody on it.',
  'peer-could-not': 'The other node tried to connect from its side and could not.',
  'peer-silent': 'The request was delivered, and the other node did not act on it in time.',
  'out-of-time': 'Its own time was over before anything came up.',
  'other-won': 'Another strategy was faster.',
  'connect-timeout': 'The time for the whole connect was over.',
  aborted: 'The caller gave up.',
  'not-reached': 'The connect ended before its turn came.',
  'request-failed': 'The relay turned the request down; the detail has its number and words.',
  'connection-lost': 'The relay was lost while the connection was being made.',
  failed: 'It failed in a way that has no reason of its own; the detail says more.',
} as const;

export type Reason = keyof typeof REASONS;

/** What a peer may answer when it does not come: the reasons that cross the wire. */
export const REFUSALS = [
  'peer-refused',
  'rate-limited',
  'policy-refused',
  'nobody-vouches',
  'peer-could-not',
] as const satisfies Reason[];

/** Carries a reason through a rejection, for what no error code says. */
export class StrategyFailure extends WayleaveError {
  override readonly name = 'StrategyFailure';
  readonly reason: Reason;

  constructor(reason: Reason, message: string = REASONS[reason], options?: { cause?: unknown }) {
    super(reason === 'peer-refused' ? 'refused' : 'connect-failed', message, options);
    this.reason = reason;
  }
}

const BY_CODE = new Map<string | undefined, Reason>([
  ['ECONNREFUSED', 'connection-refused'],
  ['ECONNRESET', 'connection-refused'],
  ['ETIMEDOUT', 'no-answer'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['EADDRNOTAVAIL', 'unreachable'],
  // of TLS with a relay: nodes know each other by their keys, and check no certificate's issuer
  ...(
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ] as const
  ).map(code => [code, 'relay-certificate'] as const),
]);

/** The reason behind a rejection. */
export function reasonOf(error: unknown): Reason {
  if (error instanceof StrategyFailure) return error.reason;
  if (!(error instanceof WayleaveError)) return 'failed';
  switch (error.code) {
    case 'dial-failed':
      return BY_CODE.get((error.cause as NodeJS.ErrnoException | undefined)?.code) ?? 'dial-failed';
    case 'refused':
      return 'peer-refused';
    case 'timeout':
      return 'out-of-time';
    case 'closed':
    case 'aborted':
      return 'aborted';
    case 'protocol-error':
      return 'handshake-failed';
    default:
      return error.code in REASONS ? (error.code as Reason) : 'failed';
  }
}
