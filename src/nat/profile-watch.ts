// Keeps a node's knowledge of its NATs up to date, in the background: measured when the first server is known,
// again when the network changes. One measurement at a time; what comes meanwhile asks for one more after it.
import type { Clock } from '../net/clock.js';
import type { LocalAddress } from '../net/interfaces.js';
import type { InterfaceProfile, StunServer } from './probe.js';

export interface ProfileWatchOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Who may be asked, at this moment. */
  servers(): readonly StunServer[];
  /** What there is to be measured, at this moment. */
  interfaces(): readonly LocalAddress[];
  onProfile(profile: InterfaceProfile): void;
}

export class ProfileWatch {
  readonly #options: ProfileWatchOptions;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(options: ProfileWatchOptions) {
    this.#options = options;
  }

  /** Measures, or measures once more when it is at it. Settles when all that was asked for is known. Never rejects. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { clock, signal, servers, interfaces, onProfile } = this.#options;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      const asked = servers();
      if (asked.length === 0) return;
      const { probe } = await import('./probe.js'); // not for a node that never measures
      const found = await probe({ servers: asked, interfaces: interfaces(), signal, clock }).catch(
        () => undefined,
      );
      for (const profile of found?.interfaces ?? []) onProfile(profile);
    }
  }
}
