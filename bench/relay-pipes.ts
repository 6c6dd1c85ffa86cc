// Whole pipes between two processes: straight on loopback, and through each relay in a third. What is sent is the
// same, the handshake and the framing too, so that the ratio is the relay's price.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createServer, type Server } from '../signalling-server/index.js';
import { createNode, type Node } from '../src/node.js';
import { formatTurnUrl } from '../src/turn/turn-server.js';
import type { Subject } from './relay-subjects.js';

const MESSAGE_BYTES = 64 * 1024;
const BULK_BYTES = 256 * 1024 * 1024;

/** A node here and one in the other process, both at a signalling server that names this relay. */
interface Pair {
  readonly near: Node;
  readonly far: string;
}

export class RelayPipes implements AsyncDisposable {
  readonly #pairs: ReadonlyMap<Subject, Pair>;
  readonly #owned: readonly (Server | Node)[];
  readonly #far: ChildProcess;

  private constructor(
    pairs: ReadonlyMap<Subject, Pair>,
    owned: readonly (Server | Node)[],
    far: ChildProcess,
  ) {
    this.#pairs = pairs;
    this.#owned = owned;
    this.#far = far;
  }

  static async between(relays: readonly Subject[]): Promise<RelayPipes> {
    const owned: (Server | Node)[] = [];
    const servers: string[] = [];
    for (const relay of relays) {
      const { endpoint, transport, username, credential } = await relay.server('tcp', 'pipes');
      const urls = [formatTurnUrl({ ...endpoint, transport })];
      const turn = [{ urls, username, credential }];
      const server = await createServer({ host: '127.0.0.1', port: 0, stunPort: null, turn });
      owned.push(server);
      servers.push(server.listening.signalling);
    }
    const far = fork(fileURLToPath(new URL('relay-far.js', import.meta.url)), servers, { stdio: 'inherit' });
    const [addresses] = (await once(far, 'message', { signal: AbortSignal.timeout(30_000) })) as [string[]];
    const pairs = new Map<Subject, Pair>();
    for (const [i, relay] of relays.entries()) {
      const options = { host: '127.0.0.1', listen: false, portMapping: false } as const;
      const near = await createNode({ servers: [servers[i]!], ...options });
      await near.ready();
      owned.push(near);
      pairs.set(relay, { near, far: addresses[i]! });
    }
    return new RelayPipes(pairs, owned, far);
  }

  /** MB a second through a pipe of that kind. */
  async bulk(relay: Subject, strategy: 'direct' | 'relay'): Promise<number> {
    const { near, far } = this.#pairs.get(relay)!;
    await using pipe = await near.connect(far, { strategies: [strategy] });
    const message = Buffer.alloc(MESSAGE_BYTES, 7);
    const startMs = performance.now();
    await pipe.send(`${BULK_BYTES}`);
    for (let sent = 0; sent < BULK_BYTES; sent += MESSAGE_BYTES) await pipe.send(message);
    await pipe.recv();
    return BULK_BYTES / 1e3 / (performance.now() - startMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [...this.#owned].reverse()) await one.close();
    this.#far.kill();
    await once(this.#far, 'exit');
  }
}
