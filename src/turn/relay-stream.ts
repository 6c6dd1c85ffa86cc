// One end of a relayed pipe: an allocation on the nearest of several TURN servers, and through it an ordered,
// reliable byte stream to the other end's relayed address (RFC 6062; over datagrams where a server has only those).
// Both ends need to reach no more than their server's own port. How they tell each other their relayed addresses is the
// strategy's business.
import type { Duplex } from 'node:stream';
import { abortError, WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import type { RelayedTransport } from './allocation.js';
import { type Cancellable, type OpenOptions, openTurn, type TurnClient } from './client.js';
import { type DatagramRole, openDatagramStream } from './datagram-stream.js';
import type { ServerRest } from './server-rest.js';
import type { TurnServer } from './turn-server.js';

/** How long one way to a server (TCP, say) is given before the next one to it (TLS) is tried beside it. */
const HEAD_START_MS = 250;
/** Connections that `accept` did not ask for (yet): more than one is a stranger's doing, and the oldest gives way. */
const MAX_EARLY = 4;

export interface RelayOptions extends Omit<OpenOptions, 'lifetimeS'> {
  /** Default: `tcp`. */
  readonly relayed?: RelayedTransport;
  /** Remembers which servers are full; share one among all calls. Default: nothing is remembered. */
  readonly rest?: ServerRest;
}

/**
 * Allocates on the server that is first to grant it; what the others granted is given back.
 * @param servers in the order of preference among the ways to one host; different hosts race.
 * @throws WayleaveError the last server's reason, `bad-option` when none is usable, or the signal's abort error.
 */
export async function openRelay(
  servers: readonly TurnServer[],
  options: RelayOptions = {},
): Promise<RelayEnd> {
  const { relayed = 'tcp', clock = systemClock, signal, rest, ...wishes } = options;
  const usable = servers.filter(({ transport }) => relayed === 'udp' || transport !== 'udp');
  if (usable.length === 0)
    throw new WayleaveError('bad-option', `no TURN server to relay ${relayed} is known`);
  const hosts = new Map<string, TurnServer[]>();
  for (const server of usable) {
    const { host } = server.endpoint;
    hosts.set(host, [...(hosts.get(host) ?? []), server]);
  }
  const decided = new AbortController();
  const onAbort = () => decided.abort(signal!.reason);
  if (signal?.aborted) throw abortError(signal);
  signal?.addEventListener('abort', onAbort, { once: true });
  let winner: TurnClient | undefined;
  const attempt = async (server: TurnServer): Promise<TurnClient> => {
    const full = rest?.reasonToWait(server, clock.now());
    if (full) throw full;
    const client = await openTurn(server, { ...wishes, relayed, clock, signal: decided.signal }).catch(
      error => {
        rest?.note(server, error, clock.now());
        throw error;
      },
    );
    if (winner) {
      void client.close();
      throw new WayleaveError('aborted', 'another server was faster');
    }
    winner = client;
    decided.abort(new WayleaveError('aborted', 'another server was faster'));
    return client;
  };
  const ways = [...hosts.values()].flatMap(ofHost => {
    let before: Promise<unknown> = Promise.resolve();
    return ofHost.map((server, i) => {
      const failed = before.then(
        () => new Promise(() => {}),
        () => {},
      );
      const start =
        i === 0 ? undefined : Promise.race([failed, clock.sleep(i * HEAD_START_MS, decided.signal)]);
      const way = (async () => {
        await start;
        return attempt(server);
      })();
      before = way;
      return way;
    });
  });
  try {
    return new RelayEnd(await Promise.any(ways));
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const errors = error instanceof AggregateError ? error.errors : [error];
    throw errors.at(-1);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

export class RelayEnd implements AsyncDisposable {
  readonly #client: TurnClient;
  readonly #early: { connectionId: number; from: Endpoint }[] = [];
  #wake: () => void = () => {};
  #streaming = false;

  /** @internal Use `openRelay`. */
  constructor(client: TurnClient) {
    this.#client = client;
    client.onConnectionAttempt = (connectionId, from) => {
      this.#early.push({ connectionId, from });
      if (this.#early.length > MAX_EARLY) this.#early.shift();
      this.#wake();
    };
  }

  /** What the other end must be told. */
  get relayed(): Endpoint {
    return this.#client.relayed;
  }

  get server(): TurnServer {
    return this.#client.server;
  }

  /** Resolves with the reason when the allocation is gone. Never rejects. */
  get lost(): Promise<WayleaveError> {
    return this.#client.lost;
  }

  /** What the server relays for us; both ends must have the same. */
  get relayedTransport(): RelayedTransport {
    return this.#client.relayedTransport;
  }

  /** Lets the other end in. Do so before telling it that it may connect. @throws WayleaveError */
  admit(peer: Endpoint, options: Cancellable = {}): Promise<void> {
    if (this.relayedTransport === 'udp') return this.#client.bindChannel(peer, options);
    return this.#client.permit([peer.host], options);
  }

  /** Says that a stream will be wanted soon: what can be opened for it beforehand is. */
  expectStream(): void {
    this.#client.openSpare();
  }

  /** One half: a stream to the other end, which has admitted us. The caller's, until `own`. @throws WayleaveError */
  async connect(peer: Endpoint, options: Cancellable = {}): Promise<Duplex> {
    if (this.relayedTransport === 'udp') return this.#datagrams(peer, 'initiator', options);
    return this.#client.connect(peer, options);
  }

  /** The other half: the stream of the other end, once it connects. `admit` it before. @throws WayleaveError */
  async accept(peer: Endpoint, { signal }: Cancellable = {}): Promise<Duplex> {
    if (this.relayedTransport === 'udp') return this.#datagrams(peer, 'responder', { signal });
    const ended = new AbortController();
    const onAbort = () => ended.abort(abortError(signal!));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    void this.lost.then(error => ended.abort(error));
    try {
      for (;;) {
        if (ended.signal.aborted) throw ended.signal.reason;
        // By the port: behind a 1:1 NAT of its own a relay may come from another address than it announces.
        const at = this.#early.findIndex(({ from }) => from.port === peer.port);
        const [found] = at < 0 ? [] : this.#early.splice(at, 1);
        if (found) return await this.#client.accept(found.connectionId, { signal });
        await new Promise<void>(resolve => {
          this.#wake = resolve;
          ended.signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Gives the allocation back, unless a stream runs through it: then the stream's end does. */
  async close(): Promise<void> {
    if (!this.#streaming) await this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #datagrams(peer: Endpoint, role: DatagramRole, options: Cancellable): Promise<Duplex> {
    await this.#client.bindChannel(peer, options);
    return await openDatagramStream(this.#client, peer, role);
  }

  /** Resolves when the allocation is gone: undefined when we gave it back, else the relay's part in it. */
  get fault(): Promise<WayleaveError | undefined> {
    const where = formatEndpoint(this.server.endpoint);
    return this.lost.then(({ code, message }) =>
      code === 'closed'
        ? undefined
        : new WayleaveError('connection-lost', `the relay ${where} is lost: ${message}`),
    );
  }

  /** From here on the stream owns the allocation, and shares its fate. */
  own(stream: Duplex): void {
    this.#streaming = true;
    void this.fault.then(fault => fault && stream.destroy(fault));
    if (stream.destroyed) void this.#client.close();
    else stream.once('close', () => void this.#client.close());
  }
}
