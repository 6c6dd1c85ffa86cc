// What a sans-I/O machine needs to live: its output sent, and a call when its deadline comes.
import type { Clock } from '../net/clock.js';

export interface Machine {
  takeOutput(): Buffer | undefined;
  nextDeadlineMs(): number | undefined;
  advance(nowMs: number): void;
}

export class Driver implements Disposable {
  readonly #clock: Clock;
  readonly #machine: Machine;
  readonly #send: (bytes: Buffer) => void;
  #armedForMs: number | undefined;
  #sleep: AbortController | undefined;
  #disposed = false;

  constructor(clock: Clock, machine: Machine, send: (bytes: Buffer) => void) {
    this.#clock = clock;
    this.#machine = machine;
    this.#send = send;
  }

  /** Call after every input to the machine: sends what it has to say and sets the alarm anew. */
  pump(): void {
    for (let bytes = this.#machine.takeOutput(); bytes; bytes = this.#machine.takeOutput()) this.#send(bytes);
    const nextMs = this.#disposed ? undefined : this.#machine.nextDeadlineMs();
    if (nextMs === this.#armedForMs) return;
    this.#sleep?.abort();
    this.#armedForMs = nextMs;
    if (nextMs === undefined) return;
    const sleep = new AbortController();
    this.#sleep = sleep;
    this.#clock.sleep(Math.max(0, nextMs - this.#clock.now()), sleep.signal).then(
      () => {
        this.#armedForMs = undefined;
        this.#machine.advance(this.#clock.now());
        this.pump();
      },
      () => {}, // set anew, or disposed
    );
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#sleep?.abort();
  }
}
