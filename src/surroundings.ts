// What a node finds out about the place it is in, and keeps up to date while it lives: its own address, the
// behaviour of the NATs in front of it, spare ports to punch from. All in the background, published when known.
import type { Socket } from 'node:net';
import { OwnAddress, type OwnAddressOptions } from './address/own-address.js';
import type { StunServer } from './nat/probe.js';
import { ProfileWatch } from './nat/profile-watch.js';
import { systemClock } from './net/clock.js';
import { orAbort } from './net/or-abort.js';
import { Scope } from './net/scope.js';
import type { PortMappingOptions } from './options.js';
import { warmUp } from './pipe/warm-up.js';
import type { SignallingChannel } from './signalling/channel.js';
import { isBroker, isOnThisMachine } from './signalling/server-url.js';
import type { Signalling } from './signalling/signalling.js';
import { stunServers } from './signalling/stun-servers.js';
import { WarmPunchPorts } from './strategies/warm-punch-ports.js';
import type { WaysIn } from './ways-in.js';

type Options = Omit<OwnAddressOptions, 'clock' | 'onNetworkChange'> & {
  readonly signalling: Signalling;
  readonly portMapping: PortMappingOptions | false;
  /** Takes connections that come in another way than through the listening port. */
  readonly receive: (socket: Socket) => void;
};

export class Surroundings implements AsyncDisposable {
  readonly own: OwnAddress;
  readonly punchPorts: WarmPunchPorts;
  readonly #scope = new Scope();
  readonly #signalling: Signalling;
  readonly #profile: ProfileWatch;
  #waysIn: WaysIn | undefined;
  /** Settles when the ways in are being looked for, or need not be. */
  #looking: Promise<void> = Promise.resolve();
  /** By the URL of the signalling server that named them. */
  readonly #stun = new Map<string, StunServer[]>();
  /** Settles when what is being found out is known. */
  #survey: Promise<unknown> = Promise.resolve();
  #measuring = false;
  #serversKnown = () => {};

  constructor({ signalling, portMapping, receive, ...options }: Options) {
    const clock = systemClock;
    this.#signalling = signalling;
    const onNetworkChange = () => {
      this.#waysIn?.update(); // gateways need not wait for the measurement
      void this.#measure();
    };
    this.own = this.#scope.use(new OwnAddress({ ...options, clock, onNetworkChange }));
    this.#profile = new ProfileWatch({
      clock,
      signal: this.#scope.signal,
      servers: () => this.#servers(),
      interfaces: () => this.own.local,
      onProfile: ({ address, external, tcp, udp }) => {
        const seen = external && { external: { host: external.host, port: null } };
        this.own.learn(address, { tcp, udp, ...seen });
      },
    });
    if (options.servers.length > 0) void warmUp(options.identity, this.#scope.signal);
    this.punchPorts = this.#scope.use(
      new WarmPunchPorts(() => ({ stun: this.#servers().map(({ endpoint }) => endpoint), clock })),
    );
    // Where all the servers are on this machine, so is everybody who will come: no gateway has a part in it.
    const alone = options.servers.length > 0 && options.servers.every(isOnThisMachine);
    const onlyHere = this.own.local.every(({ scope }) => scope === 'loopback');
    if (portMapping && options.port !== null && !alone && !onlyHere) {
      const greets = options.servers.some(url => !isBroker(url)); // a broker names no STUN server
      this.#looking = this.#lookForWaysIn(options.port, greets, portMapping, receive);
    }
    signalling.onGreeting((greeting, channel) => {
      this.#measuring = true;
      const survey = Promise.all([this.#survey, this.#greeted(greeting, channel)]).finally(() => {
        if (this.#survey === survey) this.#measuring = false;
      });
      this.#survey = survey;
    });
  }

  /** Whether what stands in front of this node is known, as far as its servers can show it. */
  get measured(): boolean {
    const { channels } = this.#signalling;
    return !this.#measuring && (channels.length === 0 || channels.some(({ greeting }) => greeting));
  }

  /** Settles when it is known. @throws WayleaveError once every server has failed, or the abort error. */
  async whenMeasured(signal: AbortSignal): Promise<void> {
    await this.#signalling.ready(signal);
    await orAbort(this.#survey, signal);
  }

  /** Settles when everything that is being found out at this moment is known, or given up. Never rejects. */
  async known(): Promise<void> {
    await this.#survey;
    await this.#looking;
    await this.#waysIn?.known();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
  }

  async #lookForWaysIn(
    port: number,
    hasServers: boolean,
    portMapping: PortMappingOptions,
    receive: Options['receive'],
  ): Promise<void> {
    const serversKnown = new Promise<void>(resolve => {
      this.#serversKnown = resolve;
      if (!hasServers || this.#stun.size > 0) resolve();
    });
    const { WaysIn } = await import('./ways-in.js'); // a large room, which half of all nodes never enter
    if (this.#scope.closed) return;
    this.#waysIn = this.#scope.use(
      new WaysIn({
        own: this.own,
        clock: systemClock,
        port,
        options: portMapping,
        receive,
        servers: () => this.#servers().map(({ endpoint }) => endpoint),
        serversKnown,
      }),
    );
    this.#waysIn.update();
  }

  #servers(): StunServer[] {
    return [...this.#stun.values()].flat();
  }

  async #greeted(
    greeting: NonNullable<SignallingChannel['greeting']>,
    channel: SignallingChannel,
  ): Promise<void> {
    const { url } = channel;
    if (!this.#signalling.channels.includes(channel)) return; // a peer's server: not ours to be measured by
    this.own.seenAs(greeting.seenAs.host);
    if (greeting.turn.length > 0) {
      this.own.gain('relay');
      void import('./turn/relay-stream.js'); // so that it is there when a connect needs it, which is then in a hurry
    }
    const known = this.#stun.has(url);
    const endpoints = await stunServers(greeting.stun, url);
    this.#stun.set(
      url,
      endpoints.map(endpoint => ({ endpoint, transports: ['udp', 'tcp'] })),
    );
    this.#serversKnown();
    this.#waysIn?.update();
    if (!known && endpoints.length > 0) await this.#measure();
  }

  async #measure(): Promise<void> {
    await this.#profile.refresh();
    this.#waysIn?.update();
    await this.punchPorts.keep(this.own.current.interfaces);
  }
}
