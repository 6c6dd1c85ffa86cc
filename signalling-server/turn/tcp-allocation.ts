// A relayed TCP port (RFC 6062 section 5): the client has connections made from it, and permitted peers may
// connect to it. Between two relayed ports of this relay no packet is sent: the two clients' own connections
// to the listening port are joined, so neither needs to reach anything else.
import type { Socket } from 'node:net';
import type { Clock } from '../../src/net/clock.js';
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../src/net/endpoint.js';
import { dialTcp, listenTcp, remoteEndpoint, type TcpListener } from '../../src/net/sockets.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import type { Caps } from './bandwidth.js';
import type { ClientPath } from './client-path.js';
import type { RelayCounters } from './counters.js';
import { Junction, newConnectionId } from './junction.js';
import type { RelayLimits } from './limits.js';
import { PeerTable } from './peer-table.js';
import { relayKey } from './udp-allocation.js';

/** How long a peer may take to accept (RFC 6062 section 5.2: at least 30 s). */
const DIAL_MS = 30_000;

/** One end of a junction that waits for its client's ConnectionBind. */
export interface AwaitedBind {
  /** Whose connection it is: nobody else may bind it. */
  readonly username: string;
  attach(socket: Socket): boolean;
}

export type TcpAllocations = Map<number, TcpAllocation>;

export interface TcpAllocationParts {
  readonly username: string;
  readonly path: ClientPath;
  readonly relayed: Endpoint;
  readonly listener: TcpListener;
  /** The address that the listener is bound to. */
  readonly boundHost: string;
  readonly caps: Caps;
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  /** Every end that waits for a ConnectionBind, by connection id. */
  readonly awaited: Map<number, AwaitedBind>;
  readonly neighbours: TcpAllocations;
  readonly clock: Clock;
}

export class TcpAllocation {
  readonly kind = 'tcp';
  readonly relayed: Endpoint;
  readonly peers: PeerTable;
  readonly #parts: TcpAllocationParts;
  readonly #junctions = new Set<Junction>();
  /** Peers that we connected to, or are connecting to (446). */
  readonly #called = new Set<string>();
  readonly #closed = new AbortController();
  #listener: TcpListener;
  #dialling: Promise<unknown> = Promise.resolve();

  constructor(parts: TcpAllocationParts) {
    this.#parts = parts;
    this.relayed = parts.relayed;
    this.peers = new PeerTable(parts.limits);
    this.#listener = parts.listener;
    parts.neighbours.set(relayKey(parts.relayed), this);
    parts.listener.server.on('connection', socket => this.#onPeer(socket));
  }

  /** Connects to a peer: a connection id for the client, or the number of the error. */
  async connect(peer: Endpoint): Promise<{ connectionId: number } | 446 | 447 | 508> {
    const key = formatEndpoint(peer);
    if (this.#called.has(key)) return 446;
    if (this.#full) return 508;
    this.#called.add(key);
    try {
      const socket = await this.#dialFromRelayed(peer);
      return { connectionId: this.#await(socket, () => this.#called.delete(key)) };
    } catch {
      this.#called.delete(key);
      return 447;
    }
  }

  /** Connects to another allocation of this relay, if that has given us permission. */
  connectWithin(other: TcpAllocation): { connectionId: number } | 446 | 447 | 508 {
    const key = formatEndpoint(other.relayed);
    if (this.#called.has(key)) return 446;
    if (this.#full) return 508;
    if (other.#full || !other.peers.permitted(this.relayed.host, this.#parts.clock.now())) return 447;
    this.#called.add(key);
    const { awaited } = this.#parts;
    const ids = { near: newConnectionId(awaited), far: 0 };
    const junction = this.#junction(() => {
      this.#called.delete(key);
      other.#junctions.delete(junction);
      awaited.delete(ids.near);
      awaited.delete(ids.far);
    });
    other.#junctions.add(junction);
    awaited.set(ids.near, { username: this.#parts.username, attach: socket => junction.attach(0, socket) });
    ids.far = newConnectionId(awaited);
    awaited.set(ids.far, { username: other.#parts.username, attach: socket => junction.attach(1, socket) });
    other.#announce(ids.far, this.relayed);
    return { connectionId: ids.near };
  }

  sweep(nowMs: number): void {
    this.peers.sweep(nowMs);
    for (const junction of [...this.#junctions]) junction.sweep(nowMs);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#parts.neighbours.delete(relayKey(this.relayed));
    void this.#listener[Symbol.asyncDispose]();
    for (const junction of [...this.#junctions]) junction.drain();
  }

  get #full(): boolean {
    return this.#junctions.size >= this.#parts.limits.connectionsPerAllocation;
  }

  #onPeer(socket: Socket): void {
    const peer = remoteEndpoint(socket);
    const admitted = peer && this.peers.permitted(peer.host, this.#parts.clock.now()) && !this.#full;
    if (!admitted || this.#closed.signal.aborted) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#announce(
      this.#await(socket, () => {}),
      peer,
    );
  }

  /** A junction whose far end is there. */
  #await(peer: Socket, onClosed: () => void): number {
    const { awaited } = this.#parts;
    const id = newConnectionId(awaited);
    const junction = this.#junction(() => {
      awaited.delete(id);
      onClosed();
    });
    awaited.set(id, { username: this.#parts.username, attach: socket => junction.attach(0, socket) });
    junction.attach(1, peer);
    return id;
  }

  #junction(onClosed: () => void): Junction {
    const { clock, counters, caps } = this.#parts;
    const junction = new Junction(clock.now(), {
      onBytes: (fromFirst, bytes) => {
        if (fromFirst) counters.bytesToPeers += bytes;
        else counters.bytesToClients += bytes;
        return caps.none ? 0 : caps.spend(bytes, clock.now());
      },
      onJoined: () => {
        counters.streams++;
      },
      onClosed: () => {
        this.#junctions.delete(junction);
        onClosed();
      },
    });
    this.#junctions.add(junction);
    return junction;
  }

  #announce(connectionId: number, from: Endpoint): void {
    const message = encodeMessage({
      class: 'indication',
      method: 'ConnectionAttempt',
      transactionId: newTransactionId(),
      attributes: [
        ['CONNECTION-ID', connectionId],
        ['XOR-PEER-ADDRESS', from],
      ],
    });
    this.#parts.path.send(message);
  }

  // A port that listens cannot also dial: the listening pauses for the moment that the dial needs to bind.
  // A peer that knocks in just that moment is refused, and knocks again.
  async #dialFromRelayed(remote: Endpoint): Promise<Socket> {
    const { boundHost, clock } = this.#parts;
    const turn = this.#dialling;
    let begun!: () => void;
    this.#dialling = new Promise<void>(resolve => {
      begun = resolve;
    });
    await turn;
    using deadline = clock.deadline(DIAL_MS, this.#closed.signal);
    if (deadline.signal.aborted) {
      begun();
      throw deadline.signal.reason;
    }
    const { port } = this.#listener;
    void this.#listener[Symbol.asyncDispose]();
    const localAddress = boundHost;
    const dialled = dialTcp({ remote, localAddress, localPort: port, signal: deadline.signal });
    dialled.catch(() => {}); // seen below
    setImmediate(async () => {
      try {
        this.#listener = await listenTcp(
          { host: boundHost, port, ipv6Only: boundHost.includes(':') },
          socket => this.#onPeer(socket),
        );
        if (this.#closed.signal.aborted) void this.#listener[Symbol.asyncDispose]();
      } catch {
        // Somebody took the port: what the client has stays, but nobody new can knock.
      }
      begun();
    });
    const socket = await dialled;
    if (sameEndpoint(remote, this.relayed)) socket.destroy();
    return socket;
  }
}
