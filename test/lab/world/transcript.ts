// What a process wrote, kept to a limit, and a way to wait for a line of it.
import { StringDecoder } from 'node:string_decoder';

const LIMIT_CHARACTERS = 8 << 20; // a test that writes more has gone wrong; the rest is dropped

interface Waiter {
  readonly matches: (line: string) => boolean;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

export class Transcript {
  readonly #decoder = new StringDecoder('utf8');
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(line: string) => void>();
  readonly lines: string[] = [];
  #unfinished = '';
  #kept = 0;
  #ended: string | undefined;

  get text(): string {
    return [...this.lines, this.#unfinished].join('\n');
  }

  append(bytes: Buffer): void {
    const parts = (this.#unfinished + this.#decoder.write(bytes)).split('\n');
    this.#unfinished = parts.pop() ?? '';
    for (const line of parts) this.#line(line);
  }

  /** No more will come; whoever waits hears `reason`. */
  end(reason: string): void {
    if (this.#ended !== undefined) return;
    if (this.#unfinished !== '') this.#line(this.#unfinished);
    this.#unfinished = '';
    this.#ended = reason;
    for (const waiter of this.#waiters) waiter.reject(new Error(reason));
    this.#waiters.clear();
  }

  /** Calls back for each line from now on. */
  onLine(listener: (line: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * The first line, past or future, that matches.
   * @param timeoutMs 0 to 600,000. Default 10,000.
   */
  line(matches: (line: string) => boolean, { timeoutMs = 10_000 } = {}): Promise<string> {
    const past = this.lines.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        matches,
        resolve: line => {
          settle();
          resolve(line);
        },
        reject: error => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(
        () =>
          waiter.reject(new Error(`no such line within ${timeoutMs} ms; so far: ${this.text.slice(-2000)}`)),
        timeoutMs,
      );
      this.#waiters.add(waiter);
    });
  }

  #line(line: string): void {
    if ((this.#kept += line.length) <= LIMIT_CHARACTERS) this.lines.push(line);
    for (const waiter of this.#waiters) if (waiter.matches(line)) waiter.resolve(line);
    for (const listener of this.#listeners) listener(line);
  }
}
