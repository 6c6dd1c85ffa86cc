// Many thin clients, connected a few at a time, from as many source addresses as their ports need.
import { ThinClient, type ThinClientOptions } from './thin-client.js';

/** Connections from one loopback address: well under the 28,000 ephemeral ports that one has. */
const CLIENTS_PER_ADDRESS = 4_000;
const AT_A_TIME = 50;

/** The source address of the client with this number: 127.0.1.1, 127.0.1.2, … */
function sourceAddress(index: number): string {
  return `127.0.1.${1 + Math.floor(index / CLIENTS_PER_ADDRESS)}`;
}

/** `urls`: of the servers, over which the clients are spread evenly. */
export type CrowdOptions = Omit<ThinClientOptions, 'url' | 'localAddress' | 'identity' | 'index'> & {
  readonly urls: readonly string[];
};

export class Crowd implements Disposable {
  readonly clients: ThinClient[] = [];
  readonly #options: CrowdOptions;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  async grow(count: number): Promise<this> {
    for (const end = this.clients.length + count; this.clients.length < end; ) {
      const first = this.clients.length;
      const some = Math.min(AT_A_TIME, end - first);
      const connecting = Array.from({ length: some }, (_, i) =>
        ThinClient.connect(this.optionsOf(first + i)),
      );
      this.clients.push(...(await Promise.all(connecting)));
    }
    return this;
  }

  /** How the client with this number connects. */
  optionsOf(index: number): ThinClientOptions {
    const { urls, ...options } = this.#options;
    return { ...options, url: urls[index % urls.length]!, localAddress: sourceAddress(index), index };
  }

  [Symbol.dispose](): void {
    for (const client of this.clients) client[Symbol.dispose]();
  }
}
