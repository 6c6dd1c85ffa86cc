// A client that has lost its server and comes back, in the time that nodes take for it.
import { systemClock } from '../../src/net/clock.js';
import { RetryPause } from '../../src/signalling/retry-pause.js';
import { ThinClient, type ThinClientOptions } from './thin-client.js';

/** Long enough a life that what failed before is forgotten. */
const LIVED_MS = 3_600_000;

export class Returning implements Disposable {
  /** When it had registered again. */
  backAt: number | undefined;
  /** It was told to wait for its turn. */
  waited = false;
  tries = 0;
  client: ThinClient;
  readonly #options: ThinClientOptions;
  readonly #pause = new RetryPause(Math.random);

  constructor(options: ThinClientOptions, former: ThinClient) {
    this.#options = { ...options, identity: former.identity };
    this.client = former;
    this.#pause.lost(LIVED_MS);
  }

  /** Tries until it has registered. */
  async back(signal: AbortSignal): Promise<void> {
    for (;;) {
      await systemClock.sleep(this.#pause.nextMs(), signal);
      this.tries++;
      try {
        this.client = await ThinClient.connect(this.#options);
        this.backAt = systemClock.now();
        this.waited = this.client.waited;
        return;
      } catch {
        this.#pause.failed();
      }
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}
