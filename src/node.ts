// The Node: wires the parts together and owns their lifetime, nothing else. What it decides is decided in the
// rooms below; the way of one connect through them is drawn in docs/architecture.md.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { NodeAddress } from './address/node-address.js';
import { debugLog } from './debug-log.js';
import { type AttemptOutcome, WayleaveError } from './errors.js';
import { publish } from './events.js';
import { createIdentity, type Identity, loadIdentity } from './identity/keys.js';
import type { NodeId } from './identity/node-id.js';
import { systemClock } from './net/clock.js';
import { orAbort } from './net/or-abort.js';
import { Scope } from './net/scope.js';
import type { NodeEvents, PipeHandler } from './node-events.js';
import {
  type ConnectOptions,
  connectOptionsSchema,
  type NodeOptions,
  nodeOptionsSchema,
  type ResolvedNodeOptions,
  resolveOptions,
} from './options.js';
import { MessageHandlers } from './pipe/message-handlers.js';
import { type MessageHandler, Pipe } from './pipe/pipe.js';
import type { SignallingChannel } from './signalling/channel.js';
import { requirePackages } from './signalling/create-channel.js';
import { published } from './signalling/server-url.js';
import { createSignalling, type Signalling } from './signalling/signalling.js';
import { AttemptSignalling } from './strategies/attempt-signalling.js';
import { connectBy } from './strategies/connector.js';
import { DialLimiter } from './strategies/dial-limits.js';
import { Inbound } from './strategies/inbound.js';
import { strategies } from './strategies/index.js';
import { contactableAddress } from './strategies/peer-servers.js';
import { respond } from './strategies/responder.js';
import type { Attempt, Link, StrategyName } from './strategies/strategy.js';
import { turnServers } from './strategies/turn-servers.js';
import { Surroundings } from './surroundings.js';

/** What this version can do for others, beyond answering direct connections. */
const CAPABILITIES = ['reverse', 'punch'] as const;
/** How long `ready` waits by default for a signalling server, milliseconds. */
const READY_MS = 10_000;

/**
 * Starts a node: its identity, its listening port, its address; signalling connects in the background. With
 * `WAYLEAVE_PORT_MAPPING=off` in the environment no gateway is asked unless `portMapping` says so.
 * @throws WayleaveError `bad-option`, `bad-key-file`, `listen-failed`, `missing-package`.
 */
export async function createNode(options: NodeOptions = {}): Promise<Node> {
  const silent = process.env.WAYLEAVE_PORT_MAPPING === 'off' && options.portMapping === undefined;
  const resolved = resolveOptions(nodeOptionsSchema, silent ? { ...options, portMapping: false } : options);
  const { keyFile, identity } = resolved;
  const self = identity ?? (keyFile === undefined ? createIdentity() : await loadIdentity(keyFile));
  return Node.start(self, resolved);
}

export class Node implements AsyncDisposable {
  readonly events = new EventEmitter<NodeEvents>();
  readonly #identity: Identity;
  readonly #options: ResolvedNodeOptions;
  readonly #scope: Scope;
  readonly #handlers = new MessageHandlers<Pipe>();
  readonly #pipeHandlers = new Set<PipeHandler>();
  readonly #pipes = new Set<Pipe>();
  #inbound!: Inbound;
  #signalling!: Signalling;
  #surroundings!: Surroundings;

  private constructor(identity: Identity, options: ResolvedNodeOptions) {
    this.#identity = identity;
    this.#options = options;
    this.#scope = new Scope(error => this.#report(error));
  }

  /** Use `createNode`. */
  static async start(identity: Identity, options: ResolvedNodeOptions): Promise<Node> {
    debugLog();
    const node = new Node(identity, options);
    try {
      await node.#start();
    } catch (error) {
      await node.close();
      throw error;
    }
    return node;
  }

  async #start(): Promise<void> {
    const { servers, host, port, listen, handshakeTimeoutMs, maxHandshakes, ...rest } = this.#options;
    const identity = this.#identity;
    await requirePackages(servers);
    this.#signalling = this.#scope.use(
      createSignalling({
        identity,
        servers,
        onEvent: event => publish(event.event, event),
        admitPeersServer: ip => contactableAddress(this.address, ip),
      }),
    );
    this.#scope.defer(() => Promise.all([...this.#pipes].map(pipe => pipe.close())));
    this.#inbound = this.#scope.use(
      await Inbound.listen({
        identity,
        host,
        port: listen ? port : null,
        handshakeTimeoutMs,
        maxHandshakes,
        admit: peer => this.#admit(peer),
        onOpen: link => void this.#open(link, 'direct', 'inbound'),
      }),
    );
    this.#surroundings = this.#scope.use(
      new Surroundings({
        identity,
        signalling: this.#signalling,
        port: this.#inbound.port,
        host,
        servers: servers.map(published),
        portMapping: rest.portMapping,
        receive: socket => this.#inbound.receive(socket),
        capabilities: CAPABILITIES,
        lifetimeMs: rest.addressLifetimeMs,
        pollMs: rest.interfacePollMs,
        onChange: address => {
          publish('node-address', { id: identity.id });
          this.events.emit('address', address);
        },
      }),
    );
    this.#respondToRequests();
    publish('node-listening', { id: identity.id, port: this.#inbound.port });
  }

  /** The node's id: its public key as text. */
  get id(): NodeId {
    return this.#identity.id;
  }

  /** The present address: give `address.toString()` to whoever shall connect. */
  get address(): NodeAddress {
    return this.#surroundings.own.current;
  }

  /** The TCP port this node listens on, or null. */
  get port(): number | null {
    return this.#inbound.port;
  }

  /**
   * Resolves when the node is registered with a signalling server, if it has any, and its address says all that is
   * known after the first round: a gateway that keeps silent is waited for 4 s at most.
   * @throws WayleaveError `server-unreachable`, `timeout`, or the abort error.
   */
  async ready(options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = READY_MS, signal } = options;
    using deadline = systemClock.deadline(timeoutMs, [signal, this.#scope.signal]);
    if (this.#options.servers.length > 0) await this.#signalling.ready(deadline.signal);
    await orAbort(this.#surroundings.known(), deadline.signal);
  }

  /** Calls `handler` for every message of every pipe, present and future. Dispose the result to stop. */
  onMessage(handler: MessageHandler): Disposable {
    return this.#handlers.add(handler);
  }

  /** Calls `handler` for every new pipe, before its first message. Dispose the result to stop. */
  onPipe(handler: PipeHandler): Disposable {
    const entry: PipeHandler = pipe => handler(pipe);
    this.#pipeHandlers.add(entry);
    return { [Symbol.dispose]: () => void this.#pipeHandlers.delete(entry) };
  }

  /**
   * Connects to a node by its address: direct, reverse, punch, relay, in that order or as `strategies` says.
   * @throws AddressError when the address does not verify; ConnectError, with `attempts`, when nothing worked;
   * WayleaveError `bad-option` or `closed`.
   */
  async connect(address: NodeAddress | string, options: ConnectOptions = {}): Promise<Pipe> {
    const { signal, timeoutMs, strategies: names } = resolveOptions(connectOptionsSchema, options);
    if (this.#scope.closed) throw new WayleaveError('closed', 'this node is closed');
    const peer = typeof address === 'string' ? NodeAddress.parse(address.trim()) : address;
    const id = randomBytes(16).toString('base64url');
    const began = performance.now();
    using deadline = systemClock.deadline(
      timeoutMs,
      [signal, this.#scope.signal],
      () => new WayleaveError('connect-timeout', `not connected within ${timeoutMs} ms`),
    );
    publish('attempt-started', { attempt: id, peer: peer.id });
    const signalling = new AttemptSignalling(this.#signalling, id, this.address, peer);
    try {
      const chosen = names.flatMap(name => strategies.filter(strategy => strategy.name === name));
      const surroundings = this.#surroundings;
      const attempt: Attempt = {
        id,
        get self() {
          return surroundings.own.current;
        },
        peer,
        identity: this.#identity,
        clock: systemClock,
        handshakeTimeoutMs: this.#options.handshakeTimeoutMs,
        heartbeatMs: this.#options.heartbeatMs,
        inbound: this.#inbound,
        get isMeasured() {
          return surroundings.measured;
        },
        measured: within => surroundings.whenMeasured(within),
        punchPorts: surroundings.punchPorts,
        turnServers: within => signalling.turnServers(within),
        serverRoundTripMs: within => signalling.roundTripMs(within),
        channel: () => signalling.channel(),
        onOutcome: outcome => this.events.emit('attempt', outcome, { id, peer: peer.id }),
      };
      const connected = await connectBy(chosen, attempt, deadline.signal);
      const ms = Math.round(performance.now() - began);
      publish('attempt-ended', { attempt: id, peer: peer.id, outcome: 'connected', ms });
      void signalling.end(connected.strategy !== 'direct', this.#scope.signal);
      return this.#open(connected.link, connected.strategy, 'outbound', connected.attempts);
    } catch (error) {
      const ms = Math.round(performance.now() - began);
      publish('attempt-ended', { attempt: id, peer: peer.id, outcome: 'failed', ms });
      void signalling.end(false, this.#scope.signal);
      throw error;
    }
  }

  /** Closes every pipe in good order, leaves the servers and stops listening. Idempotent, never rejects. */
  close(): Promise<void> {
    return this.#scope.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #respondToRequests(): void {
    const { handshakeTimeoutMs, heartbeatMs, dialRequestsPerNode, dialRequestsPerPeer } = this.#options;
    const limits = { perNodePerMinute: dialRequestsPerNode, perPeerPerMinute: dialRequestsPerPeer };
    const responder = {
      strategies,
      identity: this.#identity,
      clock: systemClock,
      limiter: new DialLimiter(limits, systemClock.now),
      handshakeTimeoutMs,
      heartbeatMs,
      punchPorts: this.#surroundings.punchPorts,
      turnServers: (via: SignallingChannel) => turnServers(new Set([via, ...this.#signalling.channels])),
      self: () => this.address,
      admit: (peer: NodeId) => this.#admit(peer),
      onOpen: (link: Link, strategy: StrategyName) => void this.#open(link, strategy, 'inbound'),
      signal: this.#scope.signal,
    };
    this.#signalling.onRequest(delivery => respond(responder, delivery));
  }

  async #admit(peer: NodeId): Promise<boolean> {
    try {
      return (await this.#options.accept?.(peer)) ?? true;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  #open(
    link: Link,
    strategy: StrategyName,
    direction: 'outbound' | 'inbound',
    attempts?: readonly AttemptOutcome[],
  ): Pipe {
    const { heartbeatMs, deadMs, queueBytes, queueMessages } = this.#options;
    const pipe = new Pipe(link.secured, {
      direction,
      route: { strategy, local: link.local, remote: link.remote, attempts },
      nodeHandlers: this.#handlers,
      onError: error => this.#report(error),
      queue: { maxBytes: queueBytes, maxMessages: queueMessages },
      heartbeatMs,
      deadMs,
    });
    this.#pipes.add(pipe);
    void pipe.closed.then(() => this.#pipes.delete(pipe));
    for (const handler of this.#pipeHandlers) {
      try {
        handler(pipe);
      } catch (error) {
        this.#report(error);
      }
    }
    this.events.emit('pipe', pipe);
    return pipe;
  }

  #report(error: unknown): void {
    if (this.events.listenerCount('error') > 0) this.events.emit('error', error);
  }
}
