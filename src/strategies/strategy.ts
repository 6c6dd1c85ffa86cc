// What a strategy is: it judges two addresses without touching the network, and it brings up an authenticated
// link, or rejects and leaves nothing behind. The connector knows no more than this.

import type { NodeAddress } from '../address/node-address.js';
import type { AttemptOutcome } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import type { Secured } from '../pipe/handshake.js';
import type { AttemptChannel, Delivery } from '../signalling/channel.js';
import type { PeerMessage } from '../signalling/messages.js';
import type { TurnServer } from '../turn/turn-server.js';
import type { Inbound } from './inbound.js';
import type { Reason } from './reasons.js';
import type { WarmPunchPorts } from './warm-punch-ports.js';

export const STRATEGY_NAMES = ['direct', 'reverse', 'punch', 'relay'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** What can be said of a strategy from two addresses alone. */
export interface Assessment {
  readonly verdict: 'likely' | 'possible' | 'impossible';
  readonly reason: Reason;
  /** About how many round trips between the nodes until the pipe is open. */
  readonly roundTrips: number;
}

/** A connection on which both identities are proved, and which may become the pipe. */
export interface Link {
  readonly secured: Secured;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Makes it the one connection of the attempt. @throws WayleaveError `refused` when the peer says no. */
  nominate(signal: AbortSignal): Promise<void>;
}

/** One `connect` in the making, as its strategies see it. */
export interface Attempt {
  readonly id: string;
  /** Our present address, which may come to say more while the attempt lasts. */
  readonly self: NodeAddress;
  readonly peer: NodeAddress;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly handshakeTimeoutMs: number;
  /** Whether all is known of this node's place that will be; if not, `measured` settles then, or when it cannot be. */
  readonly isMeasured: boolean;
  measured(signal: AbortSignal): Promise<void>;
  /** How often the pipe will speak: what else must stay open on its way, speaks as often. */
  readonly heartbeatMs: number;
  /** Where dial-backs of this attempt arrive. */
  readonly inbound: Inbound;
  /** The relays that this node may use now. */
  turnServers(signal: AbortSignal): Promise<TurnServer[]>;
  /** Ports to punch from. */
  readonly punchPorts: WarmPunchPorts;
  /** Milliseconds to the signalling server and back, once registered there; 0 if that cannot be. */
  serverRoundTripMs(signal: AbortSignal): Promise<number>;
  /** The way to the peer through signalling; made when first asked for. */
  channel(): AttemptChannel;
  /** Hears how each strategy ended. */
  onOutcome?(outcome: AttemptOutcome): void;
}

/** A peer's request to act in its attempt. */
export interface PeerRequest<T extends PeerMessage['type'] = PeerMessage['type']> {
  readonly attempt: string;
  readonly self: NodeAddress;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly handshakeTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly punchPorts: WarmPunchPorts;
  readonly serverRoundTripMs: number;
  turnServers(signal: AbortSignal): Promise<TurnServer[]>;
  /** Our part in the attempt, for further messages. */
  readonly channel: AttemptChannel;
  readonly delivery: Delivery;
  readonly body: Extract<PeerMessage, { type: T }>;
}

export interface Strategy {
  readonly name: StrategyName;
  /** Longest it may take, milliseconds. */
  readonly budgetMs: number;
  /** How long it runs before the next strategy may start beside it, milliseconds. */
  readonly headStartMs: number;
  /**
   * How long before its turn it may begin, milliseconds, so as to be ready when its turn comes; default: not at all.
   * What it brings up is not used before. At most the second half of the head start that the one before it has.
   */
  readonly leadMs?: number;
  /** Pure; `impossible` means it is not tried. */
  assess(self: NodeAddress, peer: NodeAddress): Assessment;
  initiate(attempt: Attempt, signal: AbortSignal): Promise<Link>;
  /** The message with which a peer asks for this strategy's other half, if it has one. */
  readonly opener?: PeerMessage['type'];
  /** Plays that half. Rejects with a StrategyFailure whose reason is told to the peer. */
  respond?(request: PeerRequest, signal: AbortSignal): Promise<Link>;
}
