// Many thin clients, connected a few at a time, from as many source addresses as their ports need.
import { ThinClient, type ThinClientOptions } from './thin-client.js';

/** Connections from one loopback address: well under the 28,000 ephemeral ports that one has. */
const CLIENTS_PER_ADDRESS = 4_000;
const AT_A_TIME = 50;

/** The source address of the client with this number: 127.0.1.1, 127.0.1.2, … */
export function sourceAddress(index: number): string {
  return `127.0.1.${1 + Math.floor(index / CLIENTS_PER_ADDRESS)}`;
}

export class Crowd implements Disposable {
  readonly clients: ThinClient[] = [];
  readonly #options: Omit<ThinClientOptions, 'localAddress' | 'identity'>;

  constructor(options: Omit<ThinClientOptions, 'localAddress' | 'identity'>) {
    this.#options = options;
  }

  async grow(count: number): Promise<this> {
    for (const end = this.clients.length + count; this.clients.length < end; ) {
      const some = Math.min(AT_A_TIME, end - this.clients.length);
      const connecting = Array.from({ length: some }, (_, i) => {
        const localAddress = sourceAddress(this.clients.length + i);
        return ThinClient.connect({ ...this.#options, localAddress });
      });
      this.clients.push(...(await Promise.all(connecting)));
    }
    return this;
  }

  [Symbol.dispose](): void {
    for (const client of this.clients) client[Symbol.dispose]();
  }
}
