// A timer finer than setTimeout. The event loop counts whole milliseconds, so a 20 ms delay made with it is
// off by up to one; a worker thread that sleeps in Atomics.wait is woken by the kernel's high-resolution
// timer and pokes the main thread, which costs no busy waiting. Measured error: see docs/laboratory.md.
import { Worker } from 'node:worker_threads';

// Plain JavaScript on purpose: a worker from text needs no file of its own to be found at run time.
const SLEEPER = `
const { workerData, parentPort } = require('node:worker_threads');
const generation = new Int32Array(workerData, 0, 1);
const dueMs = new Float64Array(workerData, 8, 1);
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
let fired = -1;
for (;;) {
  const seen = Atomics.load(generation, 0);
  const wait = dueMs[0] - nowMs();
  if (seen === fired) Atomics.wait(generation, 0, seen);
  else if (wait > 0) Atomics.wait(generation, 0, seen, wait);
  else { fired = seen; parentPort.postMessage(null); }
}
`;

/** Monotonic milliseconds with a fraction, the same in every thread of the process. */
export function fineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class FineTimer implements AsyncDisposable {
  readonly #memory = new SharedArrayBuffer(16);
  readonly #generation = new Int32Array(this.#memory, 0, 1);
  readonly #dueMs = new Float64Array(this.#memory, 8, 1);
  readonly #worker: Worker;
  #armedMs = Number.POSITIVE_INFINITY;

  constructor(onDue: () => void) {
    this.#dueMs[0] = Number.POSITIVE_INFINITY;
    this.#worker = new Worker(SLEEPER, { eval: true, workerData: this.#memory });
    this.#worker.on('message', () => {
      this.#armedMs = Number.POSITIVE_INFINITY;
      onDue();
    });
  }

  /** Calls `onDue` at `dueMs` (of `fineNowMs`), unless an earlier call is already set. */
  arm(dueMs: number): void {
    if (dueMs >= this.#armedMs) return;
    this.#armedMs = this.#dueMs[0] = dueMs;
    Atomics.add(this.#generation, 0, 1);
    Atomics.notify(this.#generation, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
