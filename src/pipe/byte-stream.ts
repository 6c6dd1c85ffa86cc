// A pipe seen as a node:stream Duplex of bytes: chunks travel as messages whose borders mean nothing, the half
// close travels as an `end` frame. Whoever wants TCP's manners (HTTP, forwarding, files) uses this.
import { Duplex } from 'node:stream';
import { WayleaveError } from '../errors.js';
import type { MessageQueue } from './message-queue.js';

/** 64 KiB: large writes go out in parts, so that the reader needs no large buffer. */
const PART_BYTES = 64 * 1024;

/** What the stream needs of its pipe. */
export interface ByteCarrier {
  readonly queue: MessageQueue;
  send(part: Uint8Array): Promise<void>;
  sendEnd(): Promise<void>;
  /** Not complete: what was sent before may lack its end, and the other side must hear of it. */
  close(complete: boolean): Promise<void>;
}

export class ByteStream extends Duplex {
  readonly #carrier: ByteCarrier;
  #reading = false;

  constructor(carrier: ByteCarrier) {
    super({ allowHalfOpen: true, readableHighWaterMark: PART_BYTES, writableHighWaterMark: PART_BYTES });
    this.#carrier = carrier;
  }

  override _read(): void {
    if (!this.#reading) void this.#fill();
  }

  async #fill(): Promise<void> {
    this.#reading = true;
    try {
      for (let wants = true; wants && !this.destroyed; ) {
        const message = this.#carrier.queue.take() ?? (await this.#carrier.queue.recv());
        if (message.length > 0) wants = this.push(message);
      }
    } catch (error) {
      if (orderly(error)) this.push(null);
      else this.destroy(error as Error);
    } finally {
      this.#reading = false;
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    if (chunk.length <= PART_BYTES) this.#carrier.send(chunk).then(() => done(), done);
    else this.#writeParts(chunk).then(() => done(), done);
  }

  async #writeParts(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; from += PART_BYTES) {
      await this.#carrier.send(chunk.subarray(from, from + PART_BYTES));
    }
  }

  override _final(done: (error?: Error) => void): void {
    // a peer that has closed in good order has no use for our half close: that is no failure
    this.#carrier.sendEnd().then(
      () => done(),
      error => done(orderly(error) ? undefined : error),
    );
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const complete = error === null && this.writableFinished;
    void this.#carrier.close(complete).then(() => done(error));
  }
}

function orderly(error: unknown): boolean {
  return error instanceof WayleaveError && error.code === 'closed';
}
