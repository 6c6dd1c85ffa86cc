// A relayed UDP port: ChannelData and Send indications from the client go out by it, datagrams of permitted
// peers come in (RFC 8656 sections 11 and 12). The hot path: nothing is decoded that need not be.
// Left out: DONT-FRAGMENT and ICMP indications, for which Node.js offers no way to the kernel.
import type { Socket as UdpSocket } from 'node:dgram';
import { type Endpoint, toEndpoint } from '../../src/net/endpoint.js';
import { familyOf } from '../../src/net/ip-scope.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import type { Caps } from './bandwidth.js';
import type { ClientPath } from './client-path.js';
import type { RelayCounters } from './counters.js';
import type { RelayLimits } from './limits.js';
import { PeerTable } from './peer-table.js';

/** What fits into a Data indication beside the peer's address; more fits into no datagram to the client either. */
const MAX_INDICATED_BYTES = 65_450;

/** The allocations of this relay by their relayed port: those of IPv6 from 65,536 up. */
export type UdpAllocations = Map<number, UdpAllocation>;

export function relayKey({ host, port }: Endpoint): number {
  return familyOf(host) === 6 ? port + 65_536 : port;
}

export interface UdpAllocationParts {
  readonly path: ClientPath;
  readonly relayed: Endpoint;
  readonly socket: UdpSocket;
  readonly caps: Caps;
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  readonly neighbours: UdpAllocations;
  /** Whether an own address without an allocation is reached through the network. */
  readonly ownIsOpen: boolean;
  readonly now: () => number;
}

export class UdpAllocation {
  readonly kind = 'udp';
  readonly relayed: Endpoint;
  readonly peers: PeerTable;
  readonly #parts: UdpAllocationParts;
  readonly #socket: UdpSocket;
  readonly #path: ClientPath;
  readonly #counters: RelayCounters;
  readonly #now: () => number;
  readonly #caps: Caps | undefined;
  readonly #padded: boolean;
  #open = true;

  constructor(parts: UdpAllocationParts) {
    this.#parts = parts;
    this.relayed = parts.relayed;
    this.peers = new PeerTable(parts.limits);
    this.#socket = parts.socket;
    this.#path = parts.path;
    this.#counters = parts.counters;
    this.#now = parts.now;
    this.#caps = parts.caps.none ? undefined : parts.caps;
    this.#padded = parts.path.transport !== 'udp';
    parts.neighbours.set(relayKey(parts.relayed), this);
    parts.socket.on('message', (data, { address, port }) => this.fromPeer(address, port, data));
  }

  /** What a ChannelData message carries. */
  fromClientChannel(number: number, data: Buffer): void {
    const channel = this.peers.channels.get(number);
    const nowMs = this.#now();
    if (channel && channel.expiresMs > nowMs && channel.permission.expiresMs > nowMs) {
      this.#toPeer(channel.peer, channel.own, data, nowMs);
    } else this.#counters.dropped++;
  }

  /** The contents of a Send indication. */
  fromClientSend(peer: Endpoint, own: boolean, data: Buffer): void {
    const nowMs = this.#now();
    if (this.peers.permitted(peer.host, nowMs)) this.#toPeer(peer, own, data, nowMs);
    else this.#counters.dropped++;
  }

  fromPeer(host: string, port: number, data: Buffer): void {
    const permission = this.peers.permissions.get(host);
    const nowMs = this.#now();
    const counters = this.#counters;
    if (
      !permission ||
      permission.expiresMs <= nowMs ||
      (this.#caps && !this.#caps.admit(data.length, nowMs))
    ) {
      counters.dropped++;
      return;
    }
    counters.datagramsToClients++;
    counters.bytesToClients += data.length;
    const channel = permission.channels.get(port);
    if (channel && channel.expiresMs > nowMs)
      this.#path.sendData(channelData(channel.number, data, this.#padded));
    else this.#indicate(host, port, data);
  }

  sweep(nowMs: number): void {
    this.peers.sweep(nowMs);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#parts.neighbours.delete(relayKey(this.relayed));
    this.#socket.close();
  }

  #toPeer(peer: Endpoint, own: boolean, data: Buffer, nowMs: number): void {
    if (!this.#open || (this.#caps && !this.#caps.admit(data.length, nowMs))) {
      this.#counters.dropped++;
      return;
    }
    const neighbour = own ? this.#parts.neighbours.get(relayKey(peer)) : undefined;
    if (own && !neighbour && !this.#parts.ownIsOpen) {
      this.#counters.dropped++;
      return;
    }
    this.#counters.datagramsToPeers++;
    this.#counters.bytesToPeers += data.length;
    if (neighbour) neighbour.fromPeer(this.relayed.host, this.relayed.port, data);
    else this.#socket.send(data, peer.port, peer.host); // without a callback, errors are silence: as on any path
  }

  #indicate(host: string, port: number, data: Buffer): void {
    const peer = toEndpoint(host, port);
    if (!peer || data.length > MAX_INDICATED_BYTES) return void this.#counters.dropped++;
    const attributes = [
      ['XOR-PEER-ADDRESS', peer],
      ['DATA', data],
    ] as const;
    const transactionId = newTransactionId();
    this.#path.sendData(encodeMessage({ class: 'indication', method: 'Data', transactionId, attributes }));
  }
}

// Like encodeChannelData, without its checks: the number is a bound channel's, the data a datagram's.
function channelData(channel: number, data: Buffer, padded: boolean): Buffer {
  const length = data.length;
  const end = 4 + length;
  const bytes = Buffer.allocUnsafe(padded ? (end + 3) & ~3 : end);
  bytes[0] = channel >> 8;
  bytes[1] = channel & 0xff;
  bytes[2] = length >> 8;
  bytes[3] = length & 0xff;
  data.copy(bytes, 4);
  for (let i = end; i < bytes.length; i++) bytes[i] = 0;
  return bytes;
}
