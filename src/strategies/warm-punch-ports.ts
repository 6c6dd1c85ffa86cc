// Punch ports learned before they are needed: where a NAT keeps one mapping for all destinations, a spare one is held
// ready for each local address, which saves a connect the two round trips that learning it takes.
import { Scope } from '../net/scope.js';
import { foresight } from './punch-plan.js';
import { type PunchPlace, PunchPort, type PunchPortSource } from './punch-port.js';
import { SprayTurns } from './spray-turns.js';

/** NATs with short memories forget a TCP connection that is idle for 60 s. */
const KEEP_ALIVE_MS = 25_000;
/** A server that could not be reached is asked again after so long. */
const RETRY_MS = 30_000;
const ANSWER_LIMIT_MS = 5000;

/** Sees to it that one place has a spare. */
interface Keeper {
  readonly place: PunchPlace;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class WarmPunchPorts implements AsyncDisposable {
  /** Who may send hundreds of SYNs from a local address. */
  readonly turns = new SprayTurns();
  readonly #source: () => PunchPortSource;
  readonly #scope = new Scope();
  readonly #spares = new Map<string, { port: PunchPort; taken: AbortController }>();
  readonly #keepers = new Map<string, Keeper>();

  /** @param source is asked each time: servers become known, and change. */
  constructor(source: () => PunchPortSource) {
    this.#source = source;
  }

  /** Holds spares for these places from now on, and no others; resolves when each has one or could not get it. */
  async keep(places: readonly PunchPlace[]): Promise<void> {
    const worthIt = places.filter(({ tcp }) => tcp.kind === 'nat' && foresight(tcp) === 'known');
    const wanted = new Map(worthIt.map(place => [place.address, place]));
    for (const [address, { place, stop }] of this.#keepers) {
      if (!stop.signal.aborted && JSON.stringify(wanted.get(address)) === JSON.stringify(place))
        wanted.delete(address);
      else stop.abort();
    }
    if (this.#scope.closed) return;
    const first = [...wanted.values()].map(place => {
      return new Promise<void>(resolve => {
        const before = this.#keepers.get(place.address)?.done;
        const stop = new AbortController();
        const done = Promise.resolve(before).then(() => this.#keep(place, stop.signal, resolve));
        this.#keepers.set(place.address, { place, stop, done });
      });
    });
    await Promise.all(first);
  }

  /** The spare of this place, or a port learned for the purpose. The caller disposes of it. */
  take(place: PunchPlace, signal: AbortSignal): Promise<PunchPort> {
    const spare = this.#spares.get(place.address);
    if (!spare) return PunchPort.acquire(place, this.#source(), signal);
    this.#spares.delete(place.address);
    spare.taken.abort();
    return Promise.resolve(spare.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.close();
    await Promise.all([...this.#keepers.values()].map(({ done }) => done));
  }

  /** One spare after another: each is kept in use until somebody takes it or it is lost. */
  async #keep(place: PunchPlace, stopped: AbortSignal, onFirst: () => void): Promise<void> {
    const { clock } = this.#source();
    using ended = clock.deadline(2 ** 30, [stopped, this.#scope.signal]);
    const { signal } = ended;
    while (!signal.aborted) {
      const port = await this.#acquire(place, signal);
      if (port) await this.#holdUntilTaken(place.address, port, signal, onFirst);
      else {
        onFirst();
        await clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
    onFirst();
  }

  async #holdUntilTaken(
    address: string,
    port: PunchPort,
    signal: AbortSignal,
    onHeld: () => void,
  ): Promise<void> {
    const { clock } = this.#source();
    const taken = new AbortController();
    this.#spares.set(address, { port, taken });
    onHeld();
    using ended = clock.deadline(2 ** 30, [taken.signal, signal]);
    for (let holds = true; holds; ) {
      await clock.sleep(KEEP_ALIVE_MS, ended.signal).catch(() => {});
      if (ended.signal.aborted) break;
      using limit = clock.deadline(ANSWER_LIMIT_MS, ended.signal);
      holds = await port.refresh(limit.signal).catch(() => false);
    }
    if (taken.signal.aborted) return;
    this.#spares.delete(address);
    await port[Symbol.asyncDispose]();
  }

  async #acquire(place: PunchPlace, signal: AbortSignal): Promise<PunchPort | undefined> {
    const source = this.#source();
    using limit = source.clock.deadline(ANSWER_LIMIT_MS, signal);
    return await PunchPort.acquire(place, source, limit.signal).catch(() => undefined);
  }
}
