// The ways in that a node opens for itself, one local address each: a port that its gateway gives, and where the
// NAT filters nothing a port held open. In the background; what is found goes into the node's own address.
import type { Socket } from 'node:net';
import type { InterfaceAddress } from './address/address-schema.js';
import type { Mapped, OwnAddress } from './address/own-address.js';
import { UNKNOWN_BEHAVIOUR } from './nat/profile.js';
import type { Clock } from './net/clock.js';
import type { Endpoint } from './net/endpoint.js';
import { familyOf } from './net/ip-scope.js';
import { Scope } from './net/scope.js';
import type { PortMappingOptions } from './options.js';
import { type HeldPort, holdPort } from './port-mapping/held-port.js';
import { createPortMapper, type PortMapper } from './port-mapping/mapper.js';
import type { PortMapping } from './port-mapping/port-mapping.js';
import { proveThroughServer } from './port-mapping/server-proof.js';
import { worthAsking, worthHolding } from './port-mapping/worth.js';

/** A gateway that keeps silent is not waited for any longer; what comes later is published later. */
const FIRST_ROUND_LIMIT_MS = 4000;
/** What begins late, when the probe has shown that it is worth it, gets so long at least. */
const LATE_ROUND_LIMIT_MS = 1500;

export interface WaysInOptions {
  readonly own: Pick<OwnAddress, 'current' | 'mapped'>;
  readonly clock: Clock;
  /** The listening port. */
  readonly port: number;
  readonly options: PortMappingOptions;
  /** Takes the connections to held ports. */
  readonly receive: (socket: Socket) => void;
  /** STUN servers over TCP, at this moment. */
  servers(): readonly Endpoint[];
  /** Settles when there are any, or when none are to be expected. */
  readonly serversKnown: Promise<unknown>;
  readonly createPortMapper?: typeof createPortMapper;
  readonly holdPort?: typeof holdPort;
}

export class WaysIn implements AsyncDisposable {
  readonly #options: WaysInOptions;
  readonly #scope = new Scope();
  readonly #ways = new Map<string, WayIn>();
  readonly #startedAtMs: number;

  constructor(options: WaysInOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.now();
    this.#scope.defer(() => Promise.all([...this.#ways.values()].map(way => way[Symbol.asyncDispose]())));
  }

  /** Opens and closes ways as the node's own address now suggests. To be called when something was learned. */
  update(): void {
    if (this.#scope.closed) return;
    const { interfaces } = this.#options.own.current;
    const present = new Set(interfaces.map(({ address }) => address));
    for (const [address, way] of this.#ways) {
      if (present.has(address)) continue;
      this.#ways.delete(address);
      void way[Symbol.asyncDispose]();
    }
    for (const { address, tcp } of interfaces) {
      let way = this.#ways.get(address);
      if (!way) {
        way = new WayIn(address, this.#options);
        this.#ways.set(address, way);
      }
      way.update(tcp);
    }
  }

  /** Settles when each way has been tried once, or about 4 s after the start. Never rejects. */
  async known(): Promise<void> {
    const rounds = [...this.#ways.values()].flatMap(way => way.rounds);
    await Promise.all(rounds.map(round => this.#atMost(round)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
  }

  async #atMost({ over, startedAtMs }: Round): Promise<void> {
    const { clock } = this.#options;
    const endsAtMs = Math.max(this.#startedAtMs + FIRST_ROUND_LIMIT_MS, startedAtMs + LATE_ROUND_LIMIT_MS);
    const leftMs = endsAtMs - clock.now();
    if (leftMs <= 0 || this.#scope.closed) return;
    using limit = clock.deadline(leftMs, this.#scope.signal);
    const timeUp = new Promise<void>(resolve =>
      limit.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    await Promise.race([over, timeUp]);
  }
}

/** The first try of a way. */
interface Round {
  readonly over: Promise<void>;
  readonly startedAtMs: number;
}

/** What leads to one local address. */
class WayIn implements AsyncDisposable {
  readonly #address: string;
  readonly #options: WaysInOptions;
  readonly #scope = new Scope();
  readonly #rounds: { mapper?: Round; held?: Round } = {};
  #tcp: InterfaceAddress['tcp'] = UNKNOWN_BEHAVIOUR;
  #mapper: PortMapper | undefined;
  #mapping: PortMapping | undefined;
  /** No server was known when the mapping was given. */
  #unheard = false;
  #held: HeldPort | undefined;
  #external: Endpoint | undefined;

  constructor(address: string, options: WaysInOptions) {
    this.#address = address;
    this.#options = options;
    this.#scope.defer(() =>
      Promise.all([this.#mapper?.[Symbol.asyncDispose](), this.#held?.[Symbol.asyncDispose]()]),
    );
  }

  get rounds(): Round[] {
    return Object.values(this.#rounds);
  }

  update(tcp = this.#tcp): void {
    if (this.#scope.closed) return;
    this.#tcp = tcp;
    const { options } = this.#options;
    const ask = options.enabled && worthAsking(this.#address, tcp);
    if (ask === true && !this.#mapper) this.#askGateway();
    if (ask === false && this.#mapper) this.#stopAsking();
    // A port that the gateway gave and somebody proved is as good, and costs no connection.
    const hold = options.hold && !this.#mapping?.proved && worthHolding(tcp);
    if (hold === true && !this.#held) this.#hold();
    if (hold === false && this.#held) this.#letGo();
    if (this.#unheard && this.#options.servers().length > 0) void this.#proveLate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
  }

  #askGateway(): void {
    const { clock, port: internalPort, options, createPortMapper: create = createPortMapper } = this.#options;
    const mapper = create({
      localAddress: this.#address,
      internalPort,
      options,
      clock,
      prove: (external, signal) => this.#prove(external, signal),
      onChange: mapping => {
        this.#mapping = mapping;
        this.#publish();
        this.update(); // a held port may now be of use, or of none
      },
    });
    this.#mapper = mapper;
    this.#rounds.mapper = { over: mapper.ready(), startedAtMs: clock.now() };
  }

  #stopAsking(): void {
    const mapper = this.#mapper;
    this.#mapping = undefined;
    this.#publish();
    // Until what it had is given back, no other is begun: the gateway would be told two things at once.
    void mapper?.[Symbol.asyncDispose]().then(() => {
      this.#mapper = undefined;
    });
  }

  #hold(): void {
    const { clock, servers, receive, holdPort: hold = holdPort } = this.#options;
    const family = familyOf(this.#address);
    const held = hold({
      localAddress: this.#address,
      servers: () => servers().filter(({ host }) => familyOf(host) === family),
      onConnection: receive,
      clock,
      onChange: external => {
        this.#external = external;
        this.#publish();
      },
    });
    this.#held = held;
    this.#rounds.held = { over: held.firstRound, startedAtMs: clock.now() };
  }

  #letGo(): void {
    void this.#held?.[Symbol.asyncDispose]();
    this.#held = undefined;
    this.#external = undefined;
    this.#publish();
  }

  async #prove(external: Endpoint, signal: AbortSignal): Promise<boolean | undefined> {
    const { servers, serversKnown, clock } = this.#options;
    this.#unheard = true;
    await Promise.race([serversKnown, aborted(signal)]);
    if (servers().length === 0) return undefined;
    this.#unheard = false;
    return await proveThroughServer(servers(), external, this.#address, signal, clock);
  }

  /** The server was out of reach when the gateway gave its port, and is there now. */
  async #proveLate(): Promise<void> {
    this.#unheard = false;
    const given = this.#mapping;
    if (!given || given.proved || given.doubleNat) return;
    const { servers, clock } = this.#options;
    const { signal } = this.#scope;
    const verdict = await proveThroughServer(servers(), given.external, this.#address, signal, clock).catch(
      () => undefined,
    );
    if (verdict === undefined || this.#mapping !== given) return;
    this.#mapping = verdict ? { ...given, proved: true } : undefined;
    this.#publish();
  }

  #publish(): void {
    if (!this.#scope.closed) this.#options.own.mapped(this.#address, bestWay(this.#mapping, this.#external));
  }
}

/** Which of the two is published: what somebody has come through, the gateway's first. Pure. */
export function bestWay(given: PortMapping | undefined, held: Endpoint | undefined): Mapped | undefined {
  // Behind a second NAT the gateway's external address is of no use to anybody outside.
  const usable = given?.doubleNat ? undefined : given;
  if (held && !usable?.proved) return { external: held, mapping: { by: 'held', proved: true } };
  if (!usable) return undefined;
  return { external: usable.external, mapping: { by: usable.protocol, proved: usable.proved } };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
