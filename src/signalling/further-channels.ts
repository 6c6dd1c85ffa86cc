// Channels to servers that are not our own: those that a peer's address names. Each lives while somebody holds a
// lease on it and a minute longer, since the next attempt to the same peer is likely soon. At most eight.
import { WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { Scope } from '../net/scope.js';
import type { SignallingChannel } from './channel.js';

const MOST = 8;
const LINGER_MS = 60_000;

export interface ChannelLease extends Disposable {
  readonly channel: SignallingChannel;
}

interface Entry {
  readonly channel: SignallingChannel;
  readonly scope: Scope;
  leases: number;
  /** Ends the linger early, because there is a new lease. */
  keep: AbortController | undefined;
}

export class FurtherChannels {
  readonly #clock: Clock;
  readonly #owner: Scope;
  readonly #create: (url: string) => SignallingChannel;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, owner: Scope, create: (url: string) => SignallingChannel) {
    this.#clock = clock;
    this.#owner = owner;
    this.#create = create;
  }

  /** @throws WayleaveError `rate-limited` when eight are leased already. */
  lease(url: string): ChannelLease {
    const entry = this.#entries.get(url) ?? this.#add(url);
    entry.leases++;
    entry.keep?.abort();
    let released = false;
    return {
      channel: entry.channel,
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        if (--entry.leases === 0) void this.#linger(entry);
      },
    };
  }

  #add(url: string): Entry {
    if (this.#entries.size >= MOST) {
      const idle = [...this.#entries.values()].find(({ leases }) => leases === 0);
      if (!idle)
        throw new WayleaveError('rate-limited', `already connected to ${MOST} servers of other nodes`);
      void idle.scope.close();
    }
    const scope = this.#owner.child();
    const entry: Entry = { channel: scope.use(this.#create(url)), scope, leases: 0, keep: undefined };
    this.#entries.set(url, entry);
    scope.defer(() => {
      if (this.#entries.get(url) === entry) this.#entries.delete(url);
    });
    return entry;
  }

  async #linger(entry: Entry): Promise<void> {
    using keep = this.#clock.deadline(LINGER_MS, entry.scope.signal);
    const kept = new AbortController();
    entry.keep = kept;
    const over = await new Promise<boolean>(resolve => {
      keep.signal.addEventListener('abort', () => resolve(true), { once: true });
      kept.signal.addEventListener('abort', () => resolve(false), { once: true });
      if (keep.signal.aborted) resolve(true);
    });
    if (over) await entry.scope.close();
  }
}
