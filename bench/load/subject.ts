// A server under test, in a process of its own: the signalling server, or the bare `ws` echo that it is held
// against. Says on demand what it has used.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServerOptions } from '../../signalling-server/index.js';
import { systemClock } from '../../src/net/clock.js';

export interface Usage {
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

export type Order = { readonly kind: 'bare' } | { readonly kind: 'routed'; readonly options: ServerOptions };

/** Limits that stand in no measurement's way; each scenario that measures a limit sets it. */
export const GENEROUS: ServerOptions = {
  host: '127.0.0.1',
  port: 0,
  stunPort: null,
  connectionsPerIp: 1_000_000,
  messagesPerSecond: 1_000_000,
  messageBurst: 1_000_000,
};

export class Subject implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** @param stderr a file descriptor for its log. */
  static async start(order: Order, stderr: number | 'inherit' = 'inherit'): Promise<Subject> {
    const script = fileURLToPath(new URL('./server-process.js', import.meta.url));
    const execArgv = [...process.execArgv, '--expose-gc', ...profileFlags(order)];
    const stdio = ['ignore', 'inherit', stderr, 'ipc'] as const;
    const child = fork(script, [JSON.stringify(order)], { execArgv, stdio: [...stdio] });
    const [url] = (await once(child, 'message')) as [string];
    return new Subject(child, url);
  }

  /** @param collect whether to collect garbage first: for memory, not while the clock runs. */
  async usage({ collect = false } = {}): Promise<Usage> {
    this.#child.send({ collect });
    return ((await once(this.#child, 'message')) as [Usage])[0];
  }

  /** Resident memory when nothing is left to collect: the least of a few looks, since pages go back slowly. */
  async restingBytes(): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let look = 0; look < 4; look++) {
      await systemClock.sleep(1_000);
      least = Math.min(least, (await this.usage({ collect: true })).rssBytes);
    }
    return least;
  }

  /** Ends it without a chance to say goodbye. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect(); // it ends by itself, and so finishes its profile
    await ended;
  }
}

/** `WAYLEAVE_BENCH_PROFILE=DIRECTORY` has each server write a CPU profile there. */
function profileFlags({ kind }: Order): string[] {
  const directory = process.env.WAYLEAVE_BENCH_PROFILE;
  return directory
    ? ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${kind}-${Date.now()}.cpuprofile`]
    : [];
}
