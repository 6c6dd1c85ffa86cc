// Which peers an allocation lets in, and by which channel: permissions last 5 minutes and channels 10
// (RFC 8656 sections 9 and 12), and both are refreshed for as long as the allocation lives. Sans-I/O.
import { WayleaveError } from '../errors.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import type { Attribute } from '../stun/attributes.js';
import { FIRST_CHANNEL, LAST_CHANNEL } from '../stun/framing.js';
import type { Requests } from './requests.js';
import { TurnError } from './turn-error.js';

/** A permission lives for 300 s; asked for again before 240, which leaves a whole transaction for the answer. */
const PERMISSION_MS = 300_000;
const REFRESH_PERMISSION_MS = 230_000;
/** A channel lives for 600 s; the same margin. */
const CHANNEL_MS = 600_000;
const REFRESH_CHANNEL_MS = 530_000;

/** How an operation of the allocation ends. */
export type Settle<T> = (result: { readonly value: T } | { readonly error: WayleaveError }) => void;

export interface PeerLeaseEvents {
  /** Permission or channel of this peer (an address, or address and port) could not be kept. */
  onLost(peer: string, error: WayleaveError): void;
  /** 437: the server knows no such allocation (any more). */
  onMismatch(error: WayleaveError): void;
}

interface Lease {
  expiresMs: number;
  refreshAtMs: number;
}

interface Channel extends Lease {
  readonly number: number;
  readonly peer: Endpoint;
  readonly waiting: Settle<number>[];
  bound: boolean;
}

export class PeerLeases {
  readonly #requests: Requests;
  readonly #events: PeerLeaseEvents;
  readonly #permissions = new Map<string, Lease>();
  readonly #byPeer = new Map<string, Channel>();
  readonly #byNumber = new Map<number, Channel>();
  #nextChannel = FIRST_CHANNEL;

  constructor(requests: Requests, events: PeerLeaseEvents) {
    this.#requests = requests;
    this.#events = events;
  }

  permitted(host: string): boolean {
    return this.#permissions.has(host);
  }

  /** The channel of this peer, once the server has confirmed it. */
  channelOf(peer: Endpoint): number | undefined {
    if (this.#byPeer.size === 0) return undefined;
    const channel = this.#byPeer.get(formatEndpoint(peer));
    return channel?.bound ? channel.number : undefined;
  }

  /** The peer of a channel, also while its confirmation is still on the way: datagrams overtake. */
  peerOf(number: number): Endpoint | undefined {
    return this.#byNumber.get(number)?.peer;
  }

  permit(nowMs: number, hosts: readonly string[], settle: Settle<void>): void {
    const peers: Attribute[] = hosts.map(host => ['XOR-PEER-ADDRESS', { host, port: 0 }]);
    this.#requests.start(nowMs, 'CreatePermission', peers, (outcome, atMs) => {
      if (outcome.ok) {
        for (const host of hosts)
          this.#permissions.set(host, lease(atMs, PERMISSION_MS, REFRESH_PERMISSION_MS));
        return void settle({ value: undefined });
      }
      settle({ error: outcome.error });
      this.#judge(outcome.error);
    });
  }

  bindChannel(nowMs: number, peer: Endpoint, settle: Settle<number>): void {
    const key = formatEndpoint(peer);
    const known = this.#byPeer.get(key);
    if (known?.bound) return void settle({ value: known.number });
    if (known) return void known.waiting.push(settle);
    // Numbers are not used twice: the RFC forbids it for 5 minutes after the channel's end, and 4,096 are many.
    if (this.#nextChannel > LAST_CHANNEL) {
      return void settle({
        error: new WayleaveError('request-failed', 'all channels of this allocation are used up'),
      });
    }
    const number = this.#nextChannel++;
    const channel: Channel = { number, peer, ...lease(nowMs, CHANNEL_MS), waiting: [settle], bound: false };
    this.#byPeer.set(key, channel);
    this.#byNumber.set(number, channel);
    this.#bind(nowMs, key, channel);
  }

  nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const leases of [this.#permissions, this.#byPeer]) {
      for (const { expiresMs, refreshAtMs } of leases.values()) next = Math.min(next, expiresMs, refreshAtMs);
    }
    return next;
  }

  /** Ends what has run out, and asks again for what soon will. */
  advance(nowMs: number): void {
    for (const [host, { expiresMs }] of this.#permissions) {
      if (nowMs >= expiresMs) this.#losePermission(host, expired(host));
    }
    for (const [key, channel] of this.#byPeer) {
      if (nowMs >= channel.expiresMs) this.#loseChannel(key, channel, expired(key));
    }
    const due = [...this.#permissions].filter(([, { refreshAtMs }]) => nowMs >= refreshAtMs);
    for (const [host, permission] of due) {
      permission.refreshAtMs = Number.POSITIVE_INFINITY;
      this.permit(nowMs, [host], result => {
        if ('error' in result) this.#losePermission(host, result.error);
      });
    }
    for (const [key, channel] of this.#byPeer) {
      if (nowMs >= channel.refreshAtMs) this.#bind(nowMs, key, channel);
    }
  }

  clear(): void {
    this.#permissions.clear();
    this.#byPeer.clear();
    this.#byNumber.clear();
  }

  #bind(nowMs: number, key: string, channel: Channel): void {
    channel.refreshAtMs = Number.POSITIVE_INFINITY;
    const { number, peer } = channel;
    const attributes: Attribute[] = [
      ['CHANNEL-NUMBER', number],
      ['XOR-PEER-ADDRESS', peer],
    ];
    this.#requests.start(nowMs, 'ChannelBind', attributes, (outcome, atMs) => {
      const waiting = channel.waiting.splice(0);
      if (outcome.ok) {
        channel.bound = true;
        Object.assign(channel, lease(atMs, CHANNEL_MS, REFRESH_CHANNEL_MS));
        // A channel brings the permission with it (RFC 8656 section 12.1), for a permission's time only.
        this.#permissions.set(peer.host, lease(atMs, PERMISSION_MS, REFRESH_PERMISSION_MS));
        for (const settle of waiting) settle({ value: number });
        return;
      }
      for (const settle of waiting) settle({ error: outcome.error });
      this.#loseChannel(key, channel, outcome.error);
      this.#judge(outcome.error);
    });
  }

  #losePermission(host: string, error: WayleaveError): void {
    if (this.#permissions.delete(host)) this.#events.onLost(host, error);
  }

  #loseChannel(key: string, channel: Channel, error: WayleaveError): void {
    if (!this.#byPeer.delete(key)) return;
    this.#byNumber.delete(channel.number);
    if (channel.bound) this.#events.onLost(key, error);
  }

  #judge(error: WayleaveError): void {
    if (error instanceof TurnError && error.number === 437) this.#events.onMismatch(error);
  }
}

function lease(nowMs: number, lifeMs: number, refreshMs = Number.POSITIVE_INFINITY): Lease {
  return { expiresMs: nowMs + lifeMs, refreshAtMs: nowMs + refreshMs };
}

function expired(peer: string): WayleaveError {
  return new WayleaveError('no-answer', `the server did not renew the permission for ${peer} in time`);
}
