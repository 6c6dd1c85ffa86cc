// What became of every message of a test, told by both ends: who sent it, what the server said of it, how often it
// arrived. And clients that write it, staying connected to one server of a list.
import { createIdentity } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import type { Scope } from '../../src/net/scope.js';
import { until } from '../unit/signalling/members.js';
import { RawClient } from './raw-client.js';

export interface Entry {
  readonly from: Roamer;
  readonly to: Roamer;
  /** `sent`, the reason why not, or `connection-lost`: the sender's was, before it heard. */
  outcome: string | undefined;
  arrivals: number;
}

export class History {
  readonly entries: Entry[] = [];

  begin(from: Roamer, to: Roamer): number {
    return this.entries.push({ from, to, outcome: undefined, arrivals: 0 }) - 1;
  }

  arrived(box: string): void {
    this.entries[Number(Buffer.from(box, 'base64').toString())]!.arrivals++;
  }

  get acknowledged(): Entry[] {
    return this.entries.filter(({ outcome }) => outcome === 'sent');
  }
}

/** Registers at the first URL, and at the next one when the connection ends; keeps some messages under way. */
export class Roamer {
  readonly identity = createIdentity();
  /** Connections that have ended. */
  lost = 0;
  client: RawClient | undefined;
  readonly #scope: Scope;
  readonly #urls: readonly string[];
  readonly #history: History;
  /** Numbers of messages whose outcome is awaited. */
  readonly #open = new Set<number>();

  constructor(scope: Scope, urls: readonly string[], history: History) {
    this.#scope = scope;
    this.#urls = urls;
    this.#history = history;
    void this.#roam();
  }

  get registered(): boolean {
    return this.client !== undefined;
  }

  /** Sends to random others, `inFlight` at a time, until told to stop; and then waits for what is under way. */
  async chat(others: readonly Roamer[], inFlight: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      while (this.client && this.#open.size < inFlight) {
        const to = others[Math.floor(Math.random() * others.length)]!;
        const number = this.#history.begin(this, to);
        this.#open.add(number);
        this.client.post(
          to.identity.id,
          number,
          Buffer.from(String(number).padStart(300)).toString('base64'),
        );
      }
      await systemClock.sleep(1);
    }
    await until(() => this.#open.size === 0);
  }

  async #roam(): Promise<void> {
    const { signal } = this.#scope;
    for (let turn = 0; !signal.aborted; turn++) {
      const client = new RawClient(this.#scope, this.#urls[turn % this.#urls.length]!, this.identity);
      try {
        await client.register();
        client.socket
          .removeAllListeners('message')
          .on('message', data => this.#heard(JSON.parse(String(data))));
        for (const frame of client.frames.splice(0)) this.#heard(frame);
        this.client = client;
        await client.closed;
      } catch {
        // not there: the next one may be
      }
      if (this.client) this.lost++;
      this.client = undefined;
      for (const number of this.#open) this.#settle(number, 'connection-lost');
      await systemClock.sleep(Math.random() * 500, signal).catch(() => {});
    }
  }

  #heard(frame: RawClient['frames'][number]): void {
    if (frame.type === 'deliver') this.#history.arrived(frame.box);
    else if (frame.type === 'sent') for (const ref of frame.refs) this.#settle(ref, 'sent');
    else if (frame.type === 'undelivered') for (const ref of frame.refs) this.#settle(ref, frame.reason);
  }

  #settle(number: number, outcome: string): void {
    if (this.#open.delete(number)) this.#history.entries[number]!.outcome = outcome;
  }
}
