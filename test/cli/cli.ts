// The built CLI as a user runs it: a real process whose JSON lines, exit code and stderr a test can wait for.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export type CliEvent = { event: string } & Record<string, unknown>;

export class CliProcess implements AsyncDisposable {
  readonly events: CliEvent[] = [];
  readonly lines: string[] = [];
  stderr = '';
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  #wake = new Set<() => void>();
  #exited = false;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...process.env, NO_COLOR: '1', WAYLEAVE_SERVERS: '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    createInterface({ input: this.child.stdout! }).on('line', line => {
      this.lines.push(line);
      if (line.startsWith('{')) this.events.push(JSON.parse(line));
      this.#notify();
    });
    this.child.stderr!.on('data', chunk => {
      this.stderr += chunk;
    });
    this.exit = once(this.child, 'close').then(([code]) => {
      this.#exited = true;
      this.#notify();
      return code as number | null;
    });
  }

  /** The first event of that name (that passes `which`), now or later. Fails when the process ends without it. */
  async event(name: string, which: (event: CliEvent) => boolean = () => true): Promise<CliEvent> {
    for (;;) {
      const found = this.events.find(event => event.event === name && which(event));
      if (found) return found;
      if (this.#exited) throw new Error(`ended without "${name}": ${this.lines.join('\n')}\n${this.stderr}`);
      await new Promise<void>(resolve => this.#wake.add(resolve));
    }
  }

  /** Writes to its stdin and ends it. */
  input(text: string): void {
    this.child.stdin!.end(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.child.kill('SIGKILL');
    await this.exit;
  }

  #notify(): void {
    for (const wake of this.#wake) wake();
    this.#wake.clear();
  }
}

/** Starts a command. `await using` it: it is killed if the test ends first. */
export function cli(...args: string[]): CliProcess {
  return new CliProcess(args);
}

/** Runs a command to its end. */
export async function run(...args: string[]): Promise<CliProcess & { code: number | null }> {
  const process = new CliProcess(args);
  process.child.stdin!.end();
  const code = await process.exit;
  return Object.assign(process, { code });
}
