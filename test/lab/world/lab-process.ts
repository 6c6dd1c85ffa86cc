// One process inside a world, as its maker sees it: what it wrote, how to feed and end it, how it ended.
import { Transcript } from './transcript.js';

export interface Exit {
  /** Exit code; null when a signal or the world's end ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** What the world's connection to its agent offers a process. */
export interface ProcessControl {
  write(data: string | Buffer): void;
  end(): void;
  kill(signal: NodeJS.Signals): void;
}

export class LabProcess implements AsyncDisposable {
  readonly stdout = new Transcript();
  readonly stderr = new Transcript();
  /** Settles when the process is gone and its output is complete. Never rejects. */
  readonly exited: Promise<Exit>;
  readonly #control: ProcessControl;
  readonly #argv: readonly string[];
  #resolveExit!: (exit: Exit) => void;
  #exit: Exit | undefined;

  constructor(argv: readonly string[], control: ProcessControl) {
    this.#argv = argv;
    this.#control = control;
    this.exited = new Promise(resolve => {
      this.#resolveExit = resolve;
    });
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  write(data: string | Buffer): void {
    this.#control.write(data);
  }

  /** Ends its standard input. */
  end(): void {
    this.#control.end();
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (this.running) this.#control.kill(signal);
  }

  /**
   * The first JSON line on standard output, past or future, whose `event` is `name`.
   * @param timeoutMs Default 10,000.
   */
  async event<T = Record<string, unknown>>(name: string, options: { timeoutMs?: number } = {}): Promise<T> {
    const isEvent = (line: string) => line.startsWith('{') && eventOf(line)?.event === name;
    try {
      return JSON.parse(await this.stdout.line(isEvent, options)) as T;
    } catch (cause) {
      const tail = this.stderr.text.slice(-2000);
      throw new Error(`${this.#argv.join(' ')}: no event ${name}: ${cause}\n${tail}`, { cause });
    }
  }

  /** The world's side: the process is gone. */
  noteExit(exit: Exit, error?: string): void {
    if (this.#exit) return;
    this.#exit = exit;
    const how = error ?? (exit.signal === null ? `exit code ${exit.code}` : exit.signal);
    const reason = `${this.#argv.join(' ')} ended: ${how}; ${this.stderr.text.slice(-500)}`;
    for (const stream of [this.stdout, this.stderr]) stream.end(reason);
    this.#resolveExit(exit);
  }

  /** Kills it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL');
    await this.exited;
  }
}

function eventOf(line: string): { event?: unknown } | undefined {
  try {
    return JSON.parse(line) as { event?: unknown };
  } catch {
    return undefined;
  }
}
