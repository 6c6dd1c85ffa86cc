// What a node finds out about the place it is in, and keeps up to date while it lives: its own address, the
// behaviour of the NATs in front of it, spare ports to punch from. All in the background, published when known.
import { OwnAddress, type OwnAddressOptions } from './address/own-address.js';
import type { StunServer } from './nat/probe.js';
import { ProfileWatch } from './nat/profile-watch.js';
import { systemClock } from './net/clock.js';
import { Scope } from './net/scope.js';
import type { SignallingChannel } from './signalling/channel.js';
import type { Signalling } from './signalling/signalling.js';
import { stunServers } from './signalling/stun-servers.js';
import { WarmPunchPorts } from './strategies/warm-punch-ports.js';

type Options = Omit<OwnAddressOptions, 'clock' | 'onNetworkChange'> & { readonly signalling: Signalling };

export class Surroundings implements AsyncDisposable {
  readonly own: OwnAddress;
  readonly punchPorts: WarmPunchPorts;
  readonly #scope = new Scope();
  readonly #signalling: Signalling;
  readonly #profile: ProfileWatch;
  /** By the URL of the signalling server that named them. */
  readonly #stun = new Map<string, StunServer[]>();
  /** Settles when what is being found out is known. */
  #survey: Promise<unknown> = Promise.resolve();

  constructor({ signalling, ...options }: Options) {
    const clock = systemClock;
    this.#signalling = signalling;
    const onNetworkChange = () => void this.#measure();
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
    this.punchPorts = this.#scope.use(
      new WarmPunchPorts(() => ({ stun: this.#servers().map(({ endpoint }) => endpoint), clock })),
    );
    signalling.onGreeting((greeting, channel) => {
      this.#survey = Promise.all([this.#survey, this.#greeted(greeting, channel)]);
    });
  }

  /** Settles when everything that is being found out at this moment is known, or given up. Never rejects. */
  async known(): Promise<void> {
    await this.#survey;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
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
    if (greeting.turn.length > 0) this.own.gain('relay');
    const known = this.#stun.has(url);
    const endpoints = await stunServers(greeting.stun, url);
    this.#stun.set(
      url,
      endpoints.map(endpoint => ({ endpoint, transports: ['udp', 'tcp'] })),
    );
    if (!known && endpoints.length > 0) await this.#measure();
  }

  async #measure(): Promise<void> {
    await this.#profile.refresh();
    await this.punchPorts.keep(this.own.current.interfaces);
  }
}
