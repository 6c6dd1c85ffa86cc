// An example of examples/, built, as a process of its own, the way its head tells a reader to run it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Example implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  /** The exit code; null after a signal. */
  readonly exit: Promise<number | null>;
  readonly #waiting = new Set<() => void>();
  #exited = false;

  constructor(name: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(`../../dist/examples/${name}.js`, import.meta.url));
    const { WAYLEAVE_SERVERS: _, ...rest } = process.env;
    const env = { ...rest, WAYLEAVE_PORT_MAPPING: 'off' }; // no gateway of a real network
    this.child = spawn(process.execPath, [path, ...args], { env, stdio: 'pipe' });
    this.child.stdout!.on('data', (part: Buffer) => {
      this.stdout += part;
      this.#wake();
    });
    this.child.stderr!.on('data', (part: Buffer) => {
      this.stderr += part;
      this.#wake();
    });
    this.exit = once(this.child, 'close').then(([code]) => {
      this.#exited = true;
      this.#wake();
      return code as number | null;
    });
  }

  /** The first match in what it prints, now or later; fails when it ends without. */
  async prints(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.stdout);
      if (found) return found[1] ?? found[0];
      if (this.#exited) throw new Error(`ended without ${pattern}: ${this.stdout}${this.stderr}`);
      await new Promise<void>(resolve => this.#waiting.add(resolve));
    }
  }

  address(): Promise<string> {
    return this.prints(/\b(wl1[\w-]+)\n/);
  }

  type(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.child.kill('SIGKILL');
    await this.exit;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Starts an example. `await using` it: it is killed if the test ends first. */
export function example(name: string, ...args: string[]): Example {
  return new Example(name, args);
}
