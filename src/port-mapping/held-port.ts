// A way in where no gateway protocol is spoken: behind a NAT that filters nothing (a full cone, RFC 4787 section
// 5), a TCP connection to a STUN server holds a mapping open, and whoever dials the mapped endpoint reaches the
// port that the connection comes from. Connect first, listen later: the other way round the port is taken.
// When the connection breaks, the listener is closed, the connection made anew, and the listener opened again.
import type { Socket } from 'node:net';
import { abortError } from '../errors.js';
import { publish } from '../events.js';
import { type Clock, systemClock } from '../net/clock.js';
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/endpoint.js';
import { Scope } from '../net/scope.js';
import { listenTcp } from '../net/sockets.js';
import { mappedAddress, successOf } from '../stun/client.js';
import { StreamStunClient } from '../stun/stream-client.js';
import { Doorbell } from './doorbell.js';

export interface HeldPortSettings {
  readonly localAddress: string;
  /** STUN servers that speak TCP, at this moment; one that can dial back from another address must be among them. */
  servers(): readonly Endpoint[];
  /** Takes the connections that come in through the mapping. */
  readonly onConnection: (socket: Socket) => void;
  /** Hears each new value of `current`. */
  readonly onChange?: ((external: Endpoint | undefined) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** Disposing it closes the port; connections that came in through it live on. */
export interface HeldPort extends AsyncDisposable {
  /** The endpoint that everybody can dial, proved by a stranger's connection; undefined while there is none. */
  readonly current: Endpoint | undefined;
  /** Settles when the first try is over, whatever came of it. */
  readonly firstRound: Promise<void>;
}

/** NATs forget idle TCP connections after minutes, the worst after one (RFC 5382 REQ-5 asks for two hours). */
const KEEPALIVE_MS = 25_000;
/** For each step of making it: the connection, the mapping, the proof. */
const STEP_LIMIT_MS = 5_000;
/** After a broken connection; the last one repeats. */
const RETRY_AFTER_LOSS_MS = [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** A connection that lasted for so long was a good one. */
const STABLE_MS = 10_000;
/** Where a NAT filters, or there is none: it may be another one tomorrow. */
const RETRY_AFTER_REFUSAL_MS = 30 * 60_000;

/** Starts at once, in the background; never throws. */
export function holdPort(settings: HeldPortSettings): HeldPort {
  return new StunHeldPort(settings);
}

class StunHeldPort implements HeldPort {
  readonly #settings: HeldPortSettings;
  readonly #clock: Clock;
  readonly #scope = new Scope();
  readonly firstRound: Promise<void>;
  readonly #running: Promise<void>;
  #firstRoundOver = () => {};
  #current: Endpoint | undefined;
  /** The same one again after a loss: NATs that preserve ports then give the same endpoint. 0: any. */
  #localPort = 0;

  constructor(settings: HeldPortSettings) {
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
    this.firstRound = new Promise(resolve => {
      this.#firstRoundOver = resolve;
    });
    this.#running = this.#run(this.#scope.signal)
      .catch(() => {}) // only its scope's end rejects
      .finally(() => this.#firstRoundOver());
  }

  get current(): Endpoint | undefined {
    return this.#current;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.close();
    await this.#running;
    this.#current = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let losses = 0;
    for (let turn = 0; ; turn++) {
      const servers = this.#settings.servers();
      const server = servers[turn % servers.length];
      const startedAtMs = this.#clock.now();
      let outcome: 'lost' | 'no-nat' | 'filtered' | 'failed' = 'failed';
      try {
        if (server) outcome = await this.#hold(server, signal);
      } catch (error) {
        if (signal.aborted) throw abortError(signal);
        this.#say(`${formatEndpoint(server!)}: ${(error as Error).message}`);
        if (losses > 0) this.#localPort = 0; // it may be taken, or still known to the server
      }
      if (outcome !== 'lost') this.#set(undefined);
      this.#firstRoundOver();
      if (this.#clock.now() - startedAtMs > STABLE_MS) losses = 0;
      const waitMs =
        outcome === 'lost' || outcome === 'failed'
          ? RETRY_AFTER_LOSS_MS[Math.min(losses++, RETRY_AFTER_LOSS_MS.length - 1)]!
          : RETRY_AFTER_REFUSAL_MS;
      await this.#clock.sleep(waitMs, signal);
    }
  }

  /**
   * Holds the port through one connection until that breaks.
   * `no-nat`, `filtered`: there is nothing to hold here; rejects when the server could not be used.
   */
  async #hold(server: Endpoint, signal: AbortSignal): Promise<'lost' | 'no-nat' | 'filtered'> {
    const { localAddress, onConnection } = this.#settings;
    await using connection = await this.#connect(server, signal);
    const mapped = await this.#mapped(connection, signal);
    if (!mapped || sameEndpoint(mapped, connection.local)) return 'no-nat';
    const { port } = connection.local;
    await using _listener = await listenTcp({ host: localAddress, port }, onConnection);
    if (!(await this.#letsStrangersIn(connection, signal))) {
      this.#say('the NAT lets no strangers in, or the server could not try');
      return 'filtered';
    }
    this.#localPort = port;
    this.#set(mapped);
    this.#firstRoundOver();
    await this.#keep(connection, mapped, signal);
    return 'lost';
  }

  async #connect(server: Endpoint, signal: AbortSignal): Promise<StreamStunClient> {
    const { localAddress } = this.#settings;
    using deadline = this.#clock.deadline(STEP_LIMIT_MS, signal);
    return await StreamStunClient.open({
      server,
      localAddress,
      ...(this.#localPort === 0 ? {} : { localPort: this.#localPort }),
      signal: deadline.signal,
      clock: this.#clock,
    });
  }

  async #mapped(connection: StreamStunClient, signal: AbortSignal): Promise<Endpoint | undefined> {
    using deadline = this.#clock.deadline(STEP_LIMIT_MS, signal);
    return mappedAddress(successOf(await connection.request({}, { signal: deadline.signal })));
  }

  /** A connection from the server's other address arrived: filtering is endpoint-independent. */
  async #letsStrangersIn(connection: StreamStunClient, signal: AbortSignal): Promise<boolean> {
    using deadline = this.#clock.deadline(STEP_LIMIT_MS, signal);
    const fromElsewhere = ['CHANGE-REQUEST', { address: true, port: true }] as const;
    const request = { attributes: [fromElsewhere] };
    const answer = successOf(await connection.request(request, { signal: deadline.signal }));
    return answer.get('DIAL-BACK')?.outcome === 'connected';
  }

  /** Settles when the connection is gone, or its mapping is another one. */
  async #keep(connection: StreamStunClient, mapped: Endpoint, signal: AbortSignal): Promise<void> {
    const lost = new Doorbell<'lost'>();
    connection.closed.addEventListener('abort', () => lost.ring('lost'), { once: true });
    if (connection.closed.aborted) return;
    for (;;) {
      if (await lost.wait(this.#clock, KEEPALIVE_MS, signal)) return;
      try {
        const now = await this.#mapped(connection, signal);
        if (!now || !sameEndpoint(now, mapped)) return;
      } catch {
        if (signal.aborted) throw abortError(signal);
        return;
      }
    }
  }

  #set(external: Endpoint | undefined): void {
    const before = this.#current;
    if (before === external || (before && external && sameEndpoint(before, external))) return;
    this.#current = external;
    const { localAddress } = this.#settings;
    if (external) publish('port-held', { localAddress, external });
    else publish('port-held-lost', { localAddress });
    this.#settings.onChange?.(external);
  }

  #say(reason: string): void {
    publish('port-held-failed', { localAddress: this.#settings.localAddress, reason });
  }
}
