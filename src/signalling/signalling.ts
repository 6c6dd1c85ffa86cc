// All of a node's signalling: its own servers, servers that peers' addresses name, and the sealed messages that
// pass through either. Hands each message to the attempt it belongs to, and those that begin one to onRequest.
import { WayleaveError } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import { type Clock, systemClock } from '../net/clock.js';
import { Scope } from '../net/scope.js';
import { anyReady } from './any-ready.js';
import { Attempt } from './attempt.js';
import type {
  AttemptChannel,
  Delivery,
  Ignored,
  OnSignallingEvent,
  Parcel,
  Recipient,
  SignallingChannel,
} from './channel.js';
import { createChannel } from './create-channel.js';
import { deliver } from './deliver.js';
import { Envelopes } from './envelope.js';
import type { Greeting } from './frames.js';
import { type ChannelLease, FurtherChannels } from './further-channels.js';
import { Listeners } from './listeners.js';
import { MESSAGES, type Message, type PeerMessage, type Side } from './messages.js';
import { Recent } from './recent.js';
import { type OwnServer, parseOwnServer, parseServerUrl } from './server-url.js';

const MAX_SERVERS = 8;
/** Ended attempts remembered, so that their late messages begin nothing. */
const MAX_DEAD = 1024;

export interface SignallingOptions {
  readonly identity: Identity;
  /** `ws:`, `wss:`, `mqtt:` and `mqtts:` URLs, 0 to 8; those of brokers may hold credentials. */
  readonly servers: readonly string[];
  readonly clock?: Clock;
  readonly onEvent?: OnSignallingEvent;
  /** Whether the name of a peer's server may lead to this IP address. Default: to any. */
  readonly admitPeersServer?: (ip: string) => boolean;
  /** Uniform in [0, 1): the jitter of reconnects. */
  readonly random?: () => number;
}

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}
interface Routes {
  /** Where the recipient was last heard: tried before all others. */
  readonly heardOn?: SignallingChannel | undefined;
  /** Channels to prefer. */
  readonly via?: readonly SignallingChannel[] | undefined;
  /** Server URLs of the peer's address: tried next, connected to when they are not our own. */
  readonly servers?: readonly string[] | undefined;
}

export interface Signalling extends AsyncDisposable {
  /** One a configured server, in the order given. */
  readonly channels: readonly SignallingChannel[];
  /**
   * Resolves as soon as one configured server has registered this node.
   * @throws WayleaveError `server-unreachable` naming each server and why, once each has failed; or the abort error.
   */
  ready(signal?: AbortSignal): Promise<void>;
  /**
   * Sends through one channel after another until one delivers.
   * @throws WayleaveError `peer-not-registered`, `server-unreachable`, `rate-limited`, `message-too-large`, `closed`
   * or the abort error.
   */
  send(to: Recipient, message: Message, options?: SignalOption & Routes): Promise<void>;
  /** A channel to a further server, shared, kept a minute beyond its last lease; 8 at most. */
  open(url: string): ChannelLease;
  /** This node's view of an attempt that it begins with `peer`. The caller disposes of it. */
  attempt(id: string, peer: Recipient, routes?: Routes): AttemptChannel;
  onRequest(handler: (request: Delivery) => unknown): Disposable;
  onGreeting(handler: (greeting: Greeting, channel: SignallingChannel) => unknown): Disposable;
}

/** @throws WayleaveError `bad-option` for a server URL that is none. */
export function createSignalling(options: SignallingOptions): Signalling {
  const named = options.servers.map(parseOwnServer);
  const servers = [...new Map(named.map(server => [server.url, server])).values()];
  if (servers.length > MAX_SERVERS) {
    throw new WayleaveError(
      'bad-option',
      `${servers.length} signalling servers, the limit is ${MAX_SERVERS}`,
    );
  }
  return new SignallingOfNode(options, servers);
}

class SignallingOfNode implements Signalling {
  readonly channels: readonly SignallingChannel[];
  readonly #clock: Clock;
  readonly #onEvent: OnSignallingEvent;
  readonly #envelopes: Envelopes;
  readonly #scope: Scope;
  readonly #further: FurtherChannels;
  readonly #requests: Listeners<[Delivery]>;
  readonly #greetings: Listeners<[Greeting, SignallingChannel]>;
  readonly #attempts = new Map<string, Attempt>();
  readonly #dead = new Recent<string>(MAX_DEAD);

  constructor(options: SignallingOptions, servers: readonly OwnServer[]) {
    const { identity, clock = systemClock, onEvent = () => {}, random = Math.random } = options;
    this.#clock = clock;
    this.#onEvent = onEvent;
    this.#envelopes = new Envelopes(identity, clock);
    const onError = (error: unknown) => onEvent({ event: 'handler-failed', error });
    this.#scope = new Scope(onError);
    this.#requests = new Listeners(onError);
    this.#greetings = new Listeners(onError);
    const create = (server: OwnServer, admitAddress?: (ip: string) => boolean): SignallingChannel => {
      const channel = createChannel(server, { identity, clock, onEvent, random, admitAddress });
      channel.onParcel(parcel => this.#received(parcel, channel));
      channel.onGreeting(greeting => this.#greetings.emit(greeting, channel));
      return channel;
    };
    this.channels = servers.map(server => this.#scope.use(create(server)));
    this.#further = new FurtherChannels(clock, this.#scope, url =>
      create({ url, credentials: undefined }, options.admitPeersServer),
    );
  }

  ready(signal?: AbortSignal): Promise<void> {
    return anyReady(this.channels, signal);
  }

  async send(to: Recipient, message: Message, options: SignalOption & Routes = {}): Promise<void> {
    const { signal, heardOn, via = [], servers = [] } = options;
    if (this.#scope.closed) throw new WayleaveError('closed', 'signalling is closed');
    const box = this.#envelopes.seal(to, message);
    const leases = this.#lease(servers);
    try {
      const first = heardOn ? [heardOn] : [];
      const channels = new Set([...first, ...via, ...leases.map(({ channel }) => channel), ...this.channels]);
      await deliver([...channels], to, box, { clock: this.#clock, heardOn, signal });
    } finally {
      for (const lease of leases) lease[Symbol.dispose]();
    }
  }

  open(url: string): ChannelLease {
    if (this.#scope.closed) throw new WayleaveError('closed', 'signalling is closed');
    const href = parseServerUrl(url);
    const own = this.channels.find(channel => channel.url === href);
    return own ? { channel: own, [Symbol.dispose]() {} } : this.#further.lease(href);
  }

  attempt(id: string, peer: Recipient, routes: Routes = {}): AttemptChannel {
    return this.#view(id, peer, 'initiator', routes);
  }

  onRequest(handler: (request: Delivery) => unknown): Disposable {
    return this.#requests.add(handler);
  }

  onGreeting(handler: (greeting: Greeting, channel: SignallingChannel) => unknown): Disposable {
    return this.#greetings.add(handler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const attempt of [...this.#attempts.values()]) attempt[Symbol.dispose]();
    await this.#scope.close();
  }

  /** Leases on those servers that can be used; one that cannot is as good as unreachable. */
  #lease(servers: readonly string[]): ChannelLease[] {
    const leases: ChannelLease[] = [];
    for (const url of servers) {
      try {
        leases.push(this.open(url));
      } catch (error) {
        const reason = (error as Error).message;
        this.#onEvent({ event: 'signalling-unreachable', url, reason });
      }
    }
    return leases;
  }

  #view(id: string, peer: Recipient, side: Side, routes: Routes, heardOn?: SignallingChannel): Attempt {
    const key = attemptKey(peer.id, id, side);
    if (this.#scope.closed) throw new WayleaveError('closed', 'signalling is closed');
    if (this.#attempts.has(key)) throw new WayleaveError('bad-option', `attempt ${id} exists already`);
    const leases = this.#lease(routes.servers ?? []);
    const preferred = [...(routes.via ?? []), ...leases.map(({ channel }) => channel)];
    const attempt = new Attempt(
      {
        id,
        peer,
        side,
        send: (body, lastHeardOn, signal) =>
          this.send(peer, { attempt: id, side, body }, { heardOn: lastHeardOn, via: preferred, signal }),
        onDropped: (reason, { url }) => {
          this.#onEvent({ event: 'signalling-ignored', url, reason, from: peer.id });
        },
        onHandlerError: error => this.#onEvent({ event: 'handler-failed', error }),
        onDispose: () => {
          this.#attempts.delete(key);
          this.#dead.set(key, true);
          for (const lease of leases) lease[Symbol.dispose]();
        },
      },
      heardOn,
    );
    this.#attempts.set(key, attempt);
    return attempt;
  }

  #received(parcel: Parcel, via: SignallingChannel): void {
    const ignored = this.#scope.closed ? undefined : this.#place(parcel, via);
    if (ignored) this.#onEvent({ event: 'signalling-ignored', url: via.url, ...ignored });
  }

  /** Hands a parcel to where it belongs; or says why it belongs nowhere. */
  #place(
    { box, from: claimed, seenFrom, opened: arrived }: Parcel,
    via: SignallingChannel,
  ): Ignored | undefined {
    const opened = this.#envelopes.open(box);
    if (opened.from !== undefined) arrived?.(opened.from);
    if ('reason' in opened) return opened;
    const { from, reply, message } = opened;
    // A server that contradicts the signature lies about one thing, so perhaps about `seenFrom` too
    if (claimed !== undefined && claimed !== from) return { reason: 'not-for-us', from };
    const { attempt: id, side, body } = message;
    const own: Side = side === 'initiator' ? 'responder' : 'initiator';
    const key = attemptKey(from, id, own);
    const known = this.#attempts.get(key);
    if (known) known.receive({ body, seenFrom, via });
    else if (this.#dead.has(key)) return { reason: 'dead-attempt', from };
    else if (own === 'initiator' || !MESSAGES[body.type].opens) return { reason: 'no-such-attempt', from };
    else {
      const accept = () => this.#view(id, reply, 'responder', {}, via);
      const answer = (answered: PeerMessage, { signal }: SignalOption = {}) =>
        this.send(reply, { attempt: id, side: own, body: answered }, { heardOn: via, signal });
      this.#requests.emit({ from, reply, attempt: id, body, seenFrom, via, accept, answer });
    }
    return undefined;
  }
}

function attemptKey(peer: NodeId, id: string, ownSide: Side): string {
  return `${peer}/${ownSide}/${id}`;
}
