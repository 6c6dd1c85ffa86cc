// One attempt's way through signalling: our own servers and those that the peer's address names, leased while the
// attempt lives. Made when a strategy first asks, and ended with a `cancel` where the peer cannot know that it is over.
import type { NodeAddress } from '../address/node-address.js';
import type { AttemptChannel, SignallingChannel } from '../signalling/channel.js';
import { isBroker } from '../signalling/server-url.js';
import type { Signalling } from '../signalling/signalling.js';
import type { TurnServer } from '../turn/turn-server.js';
import { contactableServers } from './peer-servers.js';
import { turnServers } from './turn-servers.js';

type Lease = ReturnType<Signalling['open']>;

export class AttemptSignalling {
  readonly #signalling: Signalling;
  readonly #id: string;
  readonly #peer: NodeAddress;
  readonly #servers: readonly string[];
  #leases: Lease[] | undefined;
  #view: AttemptChannel | undefined;

  constructor(signalling: Signalling, id: string, self: NodeAddress, peer: NodeAddress) {
    this.#signalling = signalling;
    this.#id = id;
    this.#peer = peer;
    this.#servers = contactableServers(self, peer);
  }

  /** Messages to and from the peer in this attempt. */
  channel(): AttemptChannel {
    const { id, sealingKey } = this.#peer;
    this.#view ??= this.#signalling.attempt(this.#id, { id, sealingKey }, { servers: this.#servers });
    return this.#view;
  }

  /** Relays of our own servers and of the peer's, where registering brings a grant. */
  async turnServers(signal: AbortSignal): Promise<TurnServer[]> {
    const channels = this.#channels();
    const servers = channels.filter(({ url }) => !isBroker(url)); // a broker is there sooner, and grants nothing
    await anyRegistered(servers, signal);
    return await turnServers(channels);
  }

  /** Milliseconds to the nearest server and back; 0 while none is known. */
  async roundTripMs(signal: AbortSignal): Promise<number> {
    const channels = this.#channels();
    await anyRegistered(channels, signal);
    const known = channels.flatMap(({ roundTripMs }) => (roundTripMs === undefined ? [] : [roundTripMs]));
    return known.length > 0 ? Math.min(...known) : 0;
  }

  /** @param peerKnows the peer took part in what won, so nobody need tell it. */
  async end(peerKnows: boolean, signal: AbortSignal): Promise<void> {
    try {
      if (this.#view && !peerKnows) await this.#view.send({ type: 'cancel' }, { signal });
    } catch {
      // the peer's own budget will end it
    } finally {
      this.#view?.[Symbol.dispose]();
      for (const lease of this.#leases ?? []) lease[Symbol.dispose]();
    }
  }

  #channels(): SignallingChannel[] {
    this.#leases ??= this.#servers.map(url => this.#signalling.open(url));
    return [...new Set([...this.#signalling.channels, ...this.#leases.map(({ channel }) => channel)])];
  }
}

/** Settles when one of them has registered us, or none can. */
async function anyRegistered(channels: readonly SignallingChannel[], signal: AbortSignal): Promise<void> {
  await Promise.any(channels.map(channel => channel.ready(signal))).catch(() => {});
}
