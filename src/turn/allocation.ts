// A client's allocation on a TURN server as a state machine without sockets or clocks (RFC 8656 sections 6
// to 12, RFC 6062 section 4): feed in what arrived and the time, take out what to send and the next deadline.
// Left out: EVEN-PORT and reservations (for RTP pairs), dual allocations, DONT-FRAGMENT, mobility (RFC 8016).
import { DecodeError, WayleaveError } from '../errors.js';
import { type Endpoint, toEndpoint } from '../net/endpoint.js';
import { type Family, familyOf } from '../net/ip-scope.js';
import type { Attribute } from '../stun/attributes.js';
import type { Authorization, Credentials } from '../stun/credentials.js';
import { encodeMessage, newTransactionId } from '../stun/encode.js';
import { encodeChannelData } from '../stun/framing.js';
import type { StunMessage } from '../stun/message.js';
import { PeerLeases, type Settle } from './peer-leases.js';
import { type Outcome, Requests } from './requests.js';
import { TurnError } from './turn-error.js';

/** What the server relays: datagrams (RFC 8656) or connections (RFC 6062). */
export type RelayedTransport = 'udp' | 'tcp';

const PROTOCOL_NUMBER = { udp: 17, tcp: 6 } as const;
const FAMILY_NUMBER = { 4: 1, 6: 2 } as const;

/** Refreshed this long before the end, or at half of a short life. A request takes 39.5 s to be given up. */
const REFRESH_AHEAD_MS = 60_000;

export interface AllocationOptions {
  readonly server: Endpoint;
  readonly credentials: Credentials;
  /** The answer to a challenge that is known beforehand. */
  readonly authorization?: Authorization | undefined;
  readonly relayed: RelayedTransport;
  /** The transport to the server is TCP or TLS. */
  readonly reliable: boolean;
  /** Family of the relayed address. Default: the server's choice, which is IPv4 (RFC 8656 section 7.2). */
  readonly family?: Family | undefined;
  /** Asked for, in seconds. Default: the server's choice, which is at least 600. */
  readonly lifetimeS?: number | undefined;
}

/** What the allocation reports while it lives. */
export interface AllocationEvents {
  /** A datagram from a peer that we gave permission to; `data` is a view of what arrived. */
  onData(from: Endpoint, data: Buffer): void;
  /** A peer connected to the relayed address: bind within 30 s (RFC 6062 section 4.4). */
  onConnectionAttempt(connectionId: number, from: Endpoint): void;
  /** A permission or channel could not be refreshed: nothing comes from this peer any more. */
  onPeerLost(peer: string, error: WayleaveError): void;
  /** The allocation is gone: not refreshed, or the server forgot it. Said once. */
  onLost(error: WayleaveError): void;
}

/** What an Allocate brought. */
export interface Allocated {
  /** The address that the server relays for us. */
  readonly relayed: Endpoint;
  /** Our own address as the server sees it. */
  readonly mapped: Endpoint;
}

export class Allocation {
  readonly #options: AllocationOptions;
  readonly #events: AllocationEvents;
  readonly #requests: Requests;
  readonly #leases: PeerLeases;
  #state: 'new' | 'allocating' | 'held' | 'releasing' | 'ended' = 'new';
  #releaseWanted: ((nowMs: number) => void) | undefined;
  #expiresMs = 0;
  #refreshAtMs = Number.POSITIVE_INFINITY;

  constructor(options: AllocationOptions, events: AllocationEvents) {
    this.#options = options;
    this.#events = events;
    this.#requests = new Requests(options);
    this.#leases = new PeerLeases(this.#requests, {
      onLost: (peer, error) => this.#events.onPeerLost(peer, error),
      onMismatch: error => this.#end(error),
    });
  }

  /** For the data connections, which prove themselves with the same credentials. */
  get authorization(): Authorization | undefined {
    return this.#requests.authorization;
  }

  get held(): boolean {
    return this.#state === 'held';
  }

  /** Asks for the relayed address (RFC 8656 section 7.1). Once. */
  allocate(nowMs: number, settle: Settle<Allocated>): void {
    if (this.#state === 'ended') {
      return void settle({ error: new WayleaveError('closed', 'the way to the TURN server is closed') });
    }
    if (this.#state !== 'new')
      return void settle({ error: new WayleaveError('bad-option', 'allocated before') });
    this.#state = 'allocating';
    const { relayed, family, lifetimeS } = this.#options;
    const attributes: Attribute[] = [['REQUESTED-TRANSPORT', PROTOCOL_NUMBER[relayed]]];
    if (family !== undefined) attributes.push(['REQUESTED-ADDRESS-FAMILY', FAMILY_NUMBER[family]]);
    if (lifetimeS !== undefined) attributes.push(['LIFETIME', lifetimeS]);
    this.#requests.start(nowMs, 'Allocate', attributes, (outcome, atMs) => {
      const result = outcome.ok ? this.#allocated(outcome.message, atMs) : { error: outcome.error };
      if ('error' in result) this.#state = 'ended';
      settle(result);
      this.#releaseWanted?.(atMs);
    });
  }

  /** Lets datagrams and connections from these IP addresses in (RFC 8656 section 9), and keeps it so. */
  permit(nowMs: number, hosts: readonly string[], settle: Settle<void>): void {
    if (this.#usable(settle)) this.#leases.permit(nowMs, hosts, settle);
  }

  /** Gives a peer a channel: four bytes a datagram instead of 36 and more (RFC 8656 section 12). Also permits it. */
  bindChannel(nowMs: number, peer: Endpoint, settle: Settle<number>): void {
    if (this.#usable(settle)) this.#leases.bindChannel(nowMs, peer, settle);
  }

  /** Asks the server to connect to a peer (RFC 6062 section 4.3); the id is for ConnectionBind. */
  connect(nowMs: number, peer: Endpoint, settle: Settle<number>): void {
    if (!this.#usable(settle)) return;
    this.#requests.start(nowMs, 'Connect', [['XOR-PEER-ADDRESS', peer]], outcome => {
      const connectionId = outcome.ok ? outcome.message.get('CONNECTION-ID') : undefined;
      if (connectionId !== undefined) return settle({ value: connectionId });
      if (outcome.ok) return settle({ error: new DecodeError('attribute/CONNECTION-ID', 'missing') });
      settle({ error: outcome.error });
      if (outcome.error instanceof TurnError && outcome.error.number === 437) this.#end(outcome.error);
    });
  }

  /** Gives the allocation back (a Refresh with lifetime 0). Settles when the server knows, or does not answer. */
  release(nowMs: number, settle: () => void): void {
    if (this.#state === 'allocating') {
      // What the server is just making shall not be left behind.
      this.#releaseWanted = atMs => this.release(atMs, settle);
      return;
    }
    if (this.#state !== 'held') {
      this.#state = 'ended';
      return void settle();
    }
    this.#state = 'releasing';
    this.#refreshAtMs = Number.POSITIVE_INFINITY;
    this.#leases.clear();
    this.#requests.start(nowMs, 'Refresh', [['LIFETIME', 0]], () => {
      this.#state = 'ended'; // 437 says that it was gone already: as good
      settle();
    });
  }

  /** A datagram for a peer: on its channel if it has one, in a Send indication otherwise. */
  datagramFor(peer: Endpoint, data: Buffer): Buffer {
    const channel = this.#leases.channelOf(peer);
    if (channel !== undefined) return encodeChannelData(channel, data, this.#options.reliable);
    return encodeMessage({
      class: 'indication',
      method: 'Send',
      transactionId: newTransactionId(),
      attributes: [
        ['XOR-PEER-ADDRESS', peer],
        ['DATA', data],
      ],
    });
  }

  receiveChannelData(channel: number, data: Buffer): void {
    const peer = this.#leases.peerOf(channel);
    if (peer && this.#state === 'held') this.#events.onData(peer, data);
  }

  /** Takes a message from the server; whatever is not for us, or does not prove itself, is ignored. */
  receive(message: StunMessage, nowMs: number): void {
    if (message.class !== 'indication') return void this.#requests.receive(message, nowMs);
    if (this.#state !== 'held') return;
    try {
      this.#receiveIndication(message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  takeOutput(): Buffer | undefined {
    return this.#requests.takeOutput();
  }

  nextDeadlineMs(): number | undefined {
    const requests = this.#requests.nextDeadlineMs() ?? Number.POSITIVE_INFINITY;
    const refresh =
      this.#state === 'held' ? Math.min(this.#refreshAtMs, this.#expiresMs) : Number.POSITIVE_INFINITY;
    const next = Math.min(requests, refresh, this.#leases.nextDeadlineMs());
    return Number.isFinite(next) ? next : undefined;
  }

  advance(nowMs: number): void {
    this.#requests.advance(nowMs);
    if (this.#state !== 'held') return;
    if (nowMs >= this.#expiresMs)
      return void this.#end(new WayleaveError('connection-lost', 'the allocation expired'));
    if (nowMs >= this.#refreshAtMs) this.#refresh(nowMs);
    this.#leases.advance(nowMs);
  }

  /** The transport is gone, and with it the 5-tuple that the allocation belongs to. */
  fail(error: WayleaveError, nowMs: number): void {
    this.#requests.fail(error, nowMs);
    this.#end(error);
  }

  #allocated(message: StunMessage, nowMs: number): { value: Allocated } | { error: WayleaveError } {
    try {
      const relayed = endpointIn(message, 'XOR-RELAYED-ADDRESS');
      const mapped = endpointIn(message, 'XOR-MAPPED-ADDRESS');
      const lifetimeS = message.get('LIFETIME');
      if (!lifetimeS) throw new DecodeError('attribute/LIFETIME', 'missing or zero');
      const { family } = this.#options;
      if (family !== undefined && familyOf(relayed.host) !== family) {
        throw new DecodeError(
          'attribute/XOR-RELAYED-ADDRESS/family',
          `not IPv${family}, which was asked for`,
        );
      }
      this.#state = 'held';
      this.#extend(lifetimeS, nowMs);
      return { value: { relayed, mapped } };
    } catch (error) {
      if (error instanceof DecodeError) return { error };
      throw error;
    }
  }

  #extend(lifetimeS: number, nowMs: number): void {
    const lifetimeMs = lifetimeS * 1_000;
    this.#expiresMs = nowMs + lifetimeMs;
    this.#refreshAtMs = nowMs + Math.max(lifetimeMs - REFRESH_AHEAD_MS, lifetimeMs / 2);
  }

  #refresh(nowMs: number): void {
    this.#refreshAtMs = Number.POSITIVE_INFINITY;
    const { lifetimeS } = this.#options;
    const asked: Attribute[] = lifetimeS === undefined ? [] : [['LIFETIME', lifetimeS]];
    this.#requests.start(nowMs, 'Refresh', asked, (outcome: Outcome, atMs) => {
      if (this.#state !== 'held') return;
      if (!outcome.ok) return void this.#end(outcome.error);
      const granted = outcome.message.get('LIFETIME');
      if (granted) this.#extend(granted, atMs);
      else this.#end(new WayleaveError('connection-lost', 'the server ended the allocation'));
    });
  }

  #receiveIndication(message: StunMessage): void {
    const from = message.get('XOR-PEER-ADDRESS');
    const peer = from && toEndpoint(from.host, from.port);
    // Indications carry no proof; at least the peer must be one that we let in (RFC 8656 section 11.4).
    if (!peer || !this.#leases.permitted(peer.host)) return;
    if (message.methodName === 'Data') {
      const data = message.get('DATA');
      if (data) this.#events.onData(peer, data);
    } else if (message.methodName === 'ConnectionAttempt') {
      const connectionId = message.get('CONNECTION-ID');
      if (connectionId !== undefined) this.#events.onConnectionAttempt(connectionId, peer);
    }
  }

  #usable<T>(settle: Settle<T>): boolean {
    if (this.#state === 'held') return true;
    settle({ error: new WayleaveError('closed', 'there is no allocation (any more)') });
    return false;
  }

  #end(error: WayleaveError): void {
    const wasHeld = this.#state === 'held';
    this.#state = 'ended';
    this.#leases.clear();
    if (wasHeld) this.#events.onLost(error);
  }
}

function endpointIn(message: StunMessage, name: 'XOR-RELAYED-ADDRESS' | 'XOR-MAPPED-ADDRESS'): Endpoint {
  const address = message.get(name);
  const endpoint = address && toEndpoint(address.host, address.port);
  if (!endpoint) throw new DecodeError(`attribute/${name}`, 'missing, or not an endpoint');
  return endpoint;
}
