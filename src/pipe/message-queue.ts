// A bounded queue of messages between a pipe and whoever reads at their own pace: what `recv` and iteration
// take from, and what `pipe.subscribe` returns. It never drops by itself; a full one makes the pipe stop reading.
import { abortError, WayleaveError } from '../errors.js';
import { Fifo } from './fifo.js';

/** 1 MiB: with MAX_QUEUED_MESSAGES, what waits for one slow reader before the peer has to wait. */
export const DEFAULT_QUEUE_BYTES = 1024 * 1024;
/** 1,024 messages. */
export const DEFAULT_QUEUE_MESSAGES = 1024;

export interface QueueLimits {
  /** Bytes from which on the queue is full; one message may overshoot it. Default 1 MiB, 1 B to 1 GiB. */
  readonly maxBytes?: number | undefined;
  /** Messages from which on the queue is full. Default 1,024, 1 to 1,000,000. */
  readonly maxMessages?: number | undefined;
}

export interface RecvOptions {
  /** Gives up after this many milliseconds with `timeout`. Default: waits for ever. */
  readonly timeoutMs?: number | undefined;
  /** Gives up with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  resolve(message: Buffer): void;
  reject(error: unknown): void;
}

export class MessageQueue implements AsyncIterable<Buffer>, Disposable, AsyncDisposable {
  readonly #messages = new Fifo<Buffer>();
  readonly #waiters = new Fifo<Waiter>();
  readonly #limits: { readonly maxBytes: number; readonly maxMessages: number };
  readonly #onSpace: () => void;
  #bytes = 0;
  #full = false;
  #ended: WayleaveError | undefined;

  /** @param onSpace is told when a full queue has room again. */
  constructor(limits: QueueLimits, onSpace: () => void) {
    this.#limits = {
      maxBytes: within('maxBytes', limits.maxBytes ?? DEFAULT_QUEUE_BYTES, 2 ** 30),
      maxMessages: within('maxMessages', limits.maxMessages ?? DEFAULT_QUEUE_MESSAGES, 1_000_000),
    };
    this.#onSpace = onSpace;
  }

  /** Full from its limits on, until half of it is read: reading resumes in strides, not message by message. */
  get full(): boolean {
    return this.#full;
  }

  /** Messages waiting. */
  get length(): number {
    return this.#messages.length;
  }

  /** Called by the pipe. */
  push(message: Buffer): void {
    if (this.#ended) return;
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.resolve(message);
      return;
    }
    this.#messages.push(message);
    this.#bytes += message.length;
    this.#full ||= this.#bytes >= this.#limits.maxBytes || this.length >= this.#limits.maxMessages;
  }

  /** Lets the oldest give way until the rest is within the limits; the newest always stays. */
  makeRoom(): void {
    const { maxBytes, maxMessages } = this.#limits;
    while (this.length > maxMessages || (this.#bytes > maxBytes && this.length > 1)) {
      this.#bytes -= this.#messages.shift()!.length;
    }
    this.#full = false;
  }

  /** Nothing more will come: what is queued can still be read, then reading meets `error`. */
  end(error: WayleaveError): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const waiter of this.#waiters.clear()) waiter.reject(error);
  }

  /** The oldest message if there is one, without waiting. */
  take(): Buffer | undefined {
    const message = this.#messages.shift();
    if (message === undefined) return undefined;
    this.#bytes -= message.length;
    const { maxBytes, maxMessages } = this.#limits;
    if (this.#full && this.#bytes * 2 <= maxBytes && this.length * 2 <= maxMessages) {
      this.#full = false;
      this.#onSpace();
    }
    return message;
  }

  /**
   * The next message. Calls that wait are served in their order.
   * @throws WayleaveError `timeout`, `aborted`, or once no more can come the reason's code (`closed`,
   * `connection-lost`, …).
   */
  recv({ timeoutMs, signal }: RecvOptions = {}): Promise<Buffer> {
    if (signal?.aborted) return Promise.reject(abortError(signal));
    const message = this.take();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise<Buffer>((resolve, reject) => {
      if (timeoutMs === undefined && signal === undefined) return this.#waiters.push({ resolve, reject });
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: value => {
          settle();
          resolve(value);
        },
        reject: error => {
          settle();
          reject(error);
        },
      };
      const giveUp = (error: WayleaveError) => {
        this.#waiters.remove(waiter);
        waiter.reject(error);
      };
      const onAbort = () => giveUp(abortError(signal!));
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(
              () => giveUp(new WayleaveError('timeout', `no message within ${timeoutMs} ms`)),
              timeoutMs,
            );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Ends when the pipe was closed in good order, throws when it was not. Leaving the loop closes nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      let message = this.take();
      if (message === undefined) {
        try {
          message = await this.recv();
        } catch (error) {
          if (error instanceof WayleaveError && error.code === 'closed') return;
          throw error;
        }
      }
      yield message;
    }
  }

  /** Stops it: whoever waits gets `closed`, what is queued is let go. */
  [Symbol.dispose](): void {
    this.end(new WayleaveError('closed', 'the subscription was disposed'));
    this.#messages.clear();
    this.#bytes = 0;
    this.#full = false;
    this.#onSpace();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
  }
}

function within(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new WayleaveError('bad-option', `${name} must be a whole number from 1 to ${most}, not ${value}`);
}
