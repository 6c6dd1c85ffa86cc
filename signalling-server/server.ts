// The signalling server as one object: opens the door, registers whoever proves an id, routes, notices who is gone,
// and leaves in good order.
import type { NodeId } from '../src/identity/node-id.js';
import { type Clock, systemClock } from '../src/net/clock.js';
import { Scope } from '../src/net/scope.js';
import { CLOSE_CODES, MAX_BOX_BYTES, PROTOCOL_VERSION } from '../src/signalling/frames.js';
import { bareHost, freshNonce, type NotAdmitted, readAnswer } from './admission.js';
import type { Backplane } from './backplane/backplane.js';
import { backplaneMetrics } from './backplane/metrics.js';
import { Bans } from './bans.js';
import { type Certificate, reloadCertificate } from './certificate.js';
import { Client } from './client.js';
import { Counts } from './counts.js';
import { type EndpointSource, greet, renewalTime } from './endpoint-sources.js';
import { FrontDoor, type Visitor } from './front-door.js';
import type { House } from './gate.js';
import { type Listening, listeningUrls } from './listening.js';
import type { Log } from './log.js';
import { signallingMetrics } from './metrics.js';
import type { ResolvedServerOptions } from './options.js';
import { ProcessMetrics } from './process-metrics.js';
import { Router } from './router.js';
import { WaitingRoom } from './waiting-room.js';

/** A running server. Disposing of it is `close`. */
export interface Server extends AsyncDisposable {
  /** Where it listens, as URLs to hand out. */
  readonly listening: Listening;
  /**
   * Reads the files of `tlsCert` and `tlsKey` again, for connections to come; those that are open live on.
   * @throws WayleaveError `bad-option` when they hold nothing usable: then the former certificate stays in use.
   */
  reload(): Promise<void>;
  /** Says goodbye to its clients, waits a little for them to leave, and ends. Idempotent, never rejects. */
  close(): Promise<void>;
}

/** What a server is made of: chosen by index.ts, replaced in tests. */
export interface ServerParts {
  readonly backplane: Backplane;
  readonly sources: readonly EndpointSource[];
  readonly log: Log;
  readonly clock?: Clock;
  /** With it, the server speaks wss and https. */
  readonly certificate?: Certificate | undefined;
  /** Shared with other ports of this server. */
  readonly bans?: Bans;
}

/** What the server knows of a client beyond what routing needs. */
interface Presence {
  readonly visitor: Visitor;
  /** Wall clock, ms: its TURN credentials need a successor by then. */
  renewAt: number;
}

export class SignallingServer implements Server {
  readonly #options: ResolvedServerOptions;
  readonly #parts: ServerParts;
  readonly #clock: Clock;
  readonly #counts = new Counts();
  readonly #scope = new Scope();
  readonly #house: House;
  readonly #door: FrontDoor;
  readonly #router: Router;
  readonly #waitingRoom: WaitingRoom;
  readonly #process = this.#scope.use(new ProcessMetrics());
  readonly #clients = new Map<Client, Presence>();
  #listening: Listening | undefined;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: ResolvedServerOptions, parts: ServerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    const view = { isReady: () => this.#isReady, metrics: () => this.#renderMetrics() };
    const { log, certificate, bans = new Bans(options, () => this.#clock.now()) } = parts;
    this.#house = { counts: this.#counts, bans, clock: this.#clock, log, certificate };
    this.#door = new FrontDoor(options, this.#house, view, visitor => this.#welcome(visitor));
    this.#router = new Router(parts.backplane, this.#counts, this.#clock);
    this.#waitingRoom = new WaitingRoom(options, this.#counts, this.#clock, this.#scope.signal);
  }

  get listening(): Listening {
    return this.#listening!;
  }

  /** @throws WayleaveError `listen-failed`. */
  async start(): Promise<this> {
    const { backplane, sources, log } = this.#parts;
    for (const part of [backplane, ...sources]) this.#scope.use(part);
    try {
      const port = await this.#door.gate.open();
      this.#listening = listeningUrls(this.#options, port, sources);
    } catch (error) {
      await this.#scope.close();
      throw error;
    }
    void this.#watch();
    log.info({ ...this.#listening }, 'listening');
    return this;
  }

  async reload(): Promise<void> {
    const { certificate } = this.#parts;
    if (certificate) await reloadCertificate(certificate, this.#options, this.#house);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isReady(): boolean {
    return !this.#closing && this.#parts.backplane.ready;
  }

  /** A new WebSocket: challenged, heard once, then sent away, or registered when its turn has come. */
  #welcome(visitor: Visitor): void {
    const { socket, host } = visitor;
    const nonce = freshNonce();
    let client: Client | undefined;
    let answered = false;
    const heard = () => {
      if (client) client.lastHeardAt = this.#clock.now();
    };
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (client) return this.#router.receive(client, data, isBinary);
      if (answered) return this.#turnAway(visitor, 'protocol-error', 'wait for the welcome');
      answered = true;
      const answer = readAnswer(data, isBinary, nonce, host, this.#options.publicHosts);
      if ('why' in answer) return this.#turnAway(visitor, answer.reason, answer.why);
      this.#waitingRoom.enter(visitor, () => {
        client = this.#register(visitor, answer);
      });
    });
    socket.on('pong', heard);
    socket.on('ping', () => {
      heard();
      client?.maySend(this.#clock.now());
    });
    socket.on('error', () => {}); // `close` follows, with the reason
    socket.on('close', () => client && this.#left(client));
    socket.send(JSON.stringify({ type: 'challenge', nonce, protocol: PROTOCOL_VERSION }));
  }

  #turnAway({ socket, seenAs }: Visitor, reason: NotAdmitted['reason'], why: string): void {
    if (socket.readyState !== socket.OPEN) return; // already done
    this.#counts.cut[reason]++;
    this.#door.gate.accuse(seenAs.host, reason);
    this.#parts.log.debug({ from: seenAs.host, reason: why }, 'not registered');
    const code = reason === 'not-admitted' ? CLOSE_CODES.notAdmitted : CLOSE_CODES.protocolError;
    socket.close(code, why.slice(0, 100));
  }

  #register(visitor: Visitor, who: { id: NodeId; way: string }): Client {
    const { host } = visitor.seenAs;
    const { backplane, log } = this.#parts;
    visitor.stay();
    const now = this.#clock.now();
    const { flushLater } = this.#router;
    const client = new Client(who, host, visitor, this.#options, this.#counts, now, flushLater);
    const presence = { visitor, renewAt: 0 };
    this.#clients.set(client, presence);
    this.#greet(client, presence);
    const taken = backplane.take(client);
    if (taken) client.holdUntil(taken);
    this.#counts.registrations++;
    log.debug({ id: who.id, from: host }, 'registered');
    return client;
  }

  #greet(client: Client, presence: Presence): void {
    const { seenAs, host } = presence.visitor;
    const { messagesPerSecond, messageBurst } = this.#options;
    const limits = { boxBytes: MAX_BOX_BYTES, messagesPerSecond, burst: messageBurst };
    const greeting = greet(client.id, bareHost(host), seenAs, this.#parts.sources, limits);
    presence.renewAt = renewalTime(greeting, this.#clock.wall());
    client.tell(greeting);
  }

  #left(client: Client): void {
    this.#clients.delete(client);
    this.#parts.backplane.leave(client);
    if (client.cutFor) this.#door.gate.accuse(client.seenFrom, client.cutFor);
    this.#parts.log.debug({ id: client.id, reason: client.cutFor }, 'left');
    if (this.#clients.size === 0) this.#onEmpty?.();
  }

  /** Pings quiet clients, drops silent ones, renews credentials. */
  async #watch(): Promise<void> {
    const { pingEveryMs, silenceLimitMs } = this.#options;
    const everyMs = Math.max(10, Math.min(1000, pingEveryMs / 4));
    const { signal } = this.#scope;
    while (!signal.aborted) {
      await this.#clock.sleep(everyMs, signal).catch(() => {});
      const now = this.#clock.now();
      const wall = this.#clock.wall();
      for (const [client, presence] of this.#clients) {
        if (now - client.lastHeardAt > silenceLimitMs) client.cut('silent', 'nothing heard from you');
        else if (now - Math.max(client.lastHeardAt, client.pingedAt) >= pingEveryMs) client.ping(now);
        if (wall >= presence.renewAt) this.#greet(client, presence);
      }
    }
  }

  #renderMetrics(): string {
    const signalling = signallingMetrics({
      ...this.#house,
      options: this.#options,
      gate: this.#door.gate,
      waiting: this.#waitingRoom.size,
      clients: [...this.#clients.keys()],
      ready: this.#isReady,
    });
    const { backplane, sources } = this.#parts;
    const ofParts = sources.map(source => source.metrics?.() ?? '');
    return [signalling, backplaneMetrics(backplane.figures), ...ofParts, this.#process.render()].join('');
  }

  async #drain(): Promise<void> {
    this.#parts.log.info({ clients: this.#clients.size }, 'closing');
    this.#door.gate.drain();
    for (const client of [...this.#clients.keys()]) {
      client.tell({ type: 'goodbye', reason: 'draining' });
      client.flush();
      client.cut('draining', 'the server is closing');
    }
    using limit = this.#clock.deadline(this.#options.drainWithinMs);
    await new Promise<void>(resolve => {
      this.#onEmpty = resolve;
      limit.signal.addEventListener('abort', () => resolve(), { once: true });
      if (this.#clients.size === 0) resolve();
    });
    await this.#door.gate.close();
    await this.#scope.close();
  }
}
