// Punch ports learned before they are needed: where a NAT keeps one mapping for all destinations, a spare one is held
// ready for each local address, which saves a connect the two round trips that learning it takes.
import type { InterfaceAddress } from '../address/address-schema.js';
import { Scope } from '../net/scope.js';
import { foresight } from './punch-plan.js';
import { PunchPort, type PunchPortSource } from './punch-port.js';

/** NATs with short memories forget a TCP connection that is idle for 60 s. */
const KEEP_ALIVE_MS = 25_000;
/** A server that could not be reached is asked again after so long. */
const RETRY_MS = 30_000;
const ANSWER_LIMIT_MS = 5000;

type Place = Pick<InterfaceAddress, 'address' | 'tcp'>;

export class WarmPunchPorts implements AsyncDisposable {
  readonly #source: () => PunchPortSource;
  readonly #scope = new Scope();
  readonly #spares = new Map<string, { port: PunchPort; taken: AbortController }>();
  readonly #keeping = new Map<string, Promise<void>>();

  /** @param source is asked each time: servers become known, and change. */
  constructor(source: () => PunchPortSource) {
    this.#source = source;
  }

  /** Holds spares for these places from now on; resolves when each has one or could not get it at once. */
  async keep(places: readonly Place[]): Promise<void> {
    const worthIt = places.filter(({ tcp }) => tcp.kind === 'nat' && foresight(tcp) === 'known');
    const first = worthIt.map(place => {
      if (this.#scope.closed || this.#keeping.has(place.address)) return undefined;
      return new Promise<void>(resolve => this.#keeping.set(place.address, this.#keep(place, resolve)));
    });
    await Promise.all(first);
  }

  /** The spare of this place, or a port learned for the purpose. The caller disposes of it. */
  take(place: Place, signal: AbortSignal): Promise<PunchPort> {
    const spare = this.#spares.get(place.address);
    if (!spare) return PunchPort.acquire(place.address, place.tcp, this.#source(), signal);
    this.#spares.delete(place.address);
    spare.taken.abort();
    return Promise.resolve(spare.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.close();
    await Promise.all(this.#keeping.values());
  }

  /** One spare after another: each is kept in use until somebody takes it or it is lost. */
  async #keep(place: Place, onFirst: () => void): Promise<void> {
    const { signal } = this.#scope;
    const { clock } = this.#source();
    while (!signal.aborted) {
      const port = await this.#acquire(place, signal);
      if (port) this.#spares.set(place.address, { port, taken: new AbortController() });
      onFirst();
      if (port) await this.#holdUntilTaken(place, port);
      else await clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  async #holdUntilTaken({ address }: Place, port: PunchPort): Promise<void> {
    const { clock } = this.#source();
    const { taken } = this.#spares.get(address)!;
    using ended = clock.deadline(2 ** 30, [taken.signal, this.#scope.signal]);
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

  async #acquire({ address, tcp }: Place, signal: AbortSignal): Promise<PunchPort | undefined> {
    const source = this.#source();
    using limit = source.clock.deadline(ANSWER_LIMIT_MS, signal);
    return await PunchPort.acquire(address, tcp, source, limit.signal).catch(() => undefined);
  }
}
