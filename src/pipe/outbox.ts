// The sending half of a pipe: frames gather in batches of up to 64 KiB and go out one write at a time, at the
// next tick or when a batch is full. No timers: a lone message leaves at once, a flood leaves in full batches.
// A send is done when its bytes are copied into a batch; it waits while 256 KiB are on their way (backpressure).
import type { Writable } from 'node:stream';
import { abortError, WayleaveError } from '../errors.js';
import { Fifo } from './fifo.js';
import { type FrameKind, frameHeader, HEADER_BYTES, KIND, MAX_MESSAGE_BYTES } from './framing.js';

/** 64 KiB: four full TLS records, enough to make the cost of a write small against its contents. */
const BATCH_BYTES = 64 * 1024;
/** 1 KiB: what a ping needs; batches grow to what the traffic is. */
const FIRST_BATCH_BYTES = 1024;
/** 256 KiB copied and not yet taken by the system: enough to keep the socket busy, the bound of what waits. */
const IN_FLIGHT_BYTES = 256 * 1024;

/** A frame that does not fit yet; `offset` counts what of header and payload is already in batches. */
interface WaitingFrame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
  offset: number;
  readonly taken: () => void;
  readonly failed: (error: unknown) => void;
}

/** Written batches to be filled again, shared by all pipes: fresh memory for each costs a flood a third of its speed. */
const spare: Buffer[] = [];
/** 1 MiB in all: four busy pipes' worth. */
const MAX_SPARE = 16;

function fullSizeBatch(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
}

function recycle(batch: Buffer): void {
  if (batch.buffer.byteLength === BATCH_BYTES && spare.length < MAX_SPARE)
    spare.push(Buffer.from(batch.buffer));
}

const TAKEN = Promise.resolve();
const nothing = () => {};

export class Outbox {
  readonly #socket: Writable;
  readonly #onWrite: () => void;
  readonly #waiting = new Fifo<WaitingFrame>();
  readonly #full = new Fifo<Buffer>();
  #batch: Buffer | undefined;
  #used = 0;
  #inFlightBytes = 0;
  #nextBatchBytes = FIRST_BATCH_BYTES;
  #writing = false;
  #scheduled = false;
  #ended: WayleaveError | undefined;

  /** @param onWrite is told of every write to the socket. */
  constructor(socket: Writable, onWrite: () => void) {
    this.#socket = socket;
    this.#onWrite = onWrite;
  }

  /** Nothing is on its way or waiting. */
  get idle(): boolean {
    return this.#inFlightBytes === 0 && this.#waiting.length === 0;
  }

  /**
   * Sends one frame after all former ones. Resolves when its bytes are taken: the caller may reuse the buffer.
   * @throws WayleaveError `message-too-large`; `aborted` (not sent, or, when a large message was already
   * partly on its way, sent all the same); `closed` and its kind once the pipe has ended.
   */
  send(kind: FrameKind, data: string | Uint8Array, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(abortError(signal));
    if (this.#ended) return Promise.reject(this.#ended);
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    if (kind === KIND.message && length > MAX_MESSAGE_BYTES) {
      const text = `a message of ${length} bytes is over the limit of ${MAX_MESSAGE_BYTES}`;
      return Promise.reject(new WayleaveError('message-too-large', text));
    }
    if (this.#waiting.length === 0 && this.#inFlightBytes + HEADER_BYTES + length <= IN_FLIGHT_BYTES) {
      this.#append(kind, data, length);
      return TAKEN;
    }
    return this.#wait(kind, typeof data === 'string' ? Buffer.from(data) : data, signal);
  }

  /** A last frame, then the end of the stream, once all that was accepted before is written. */
  finish(lastFrame: Buffer, error: WayleaveError): void {
    if (this.#ended) return;
    this.#ended = error;
    const payload = lastFrame.subarray(HEADER_BYTES);
    this.#waiting.push({ kind: KIND.close, payload, offset: 0, taken: nothing, failed: nothing });
    this.#advance();
  }

  /** Gives up everything that is not yet taken; whoever waits meets `error`. */
  abandon(error: WayleaveError): void {
    this.#ended ??= error;
    for (const frame of this.#waiting.clear()) frame.failed(error);
    this.#full.clear();
    this.#batch = undefined;
    this.#used = 0;
  }

  #wait(kind: FrameKind, payload: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (frame.offset === 0) this.#waiting.remove(frame);
        reject(abortError(signal!));
      };
      const frame: WaitingFrame = {
        kind,
        payload,
        offset: 0,
        taken: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        failed: error => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(frame);
      this.#advance();
    });
  }

  /** Copies a frame that is known to fit. */
  #append(kind: FrameKind, data: string | Uint8Array, length: number): void {
    if (typeof data === 'string' && length > BATCH_BYTES / 2) data = Buffer.from(data);
    this.#appendHeader(kind, length);
    if (typeof data === 'string') {
      const batch = this.#room(length);
      this.#used += batch.write(data, this.#used);
      this.#inFlightBytes += length;
    } else {
      for (let from = 0; from < length; ) from += this.#appendBytes(data, from, length);
    }
    this.#schedule();
  }

  #appendHeader(kind: FrameKind, length: number): void {
    this.#room(HEADER_BYTES).writeUInt32BE(frameHeader(kind, length), this.#used);
    this.#used += HEADER_BYTES;
    this.#inFlightBytes += HEADER_BYTES;
  }

  /** Copies as much as the batch can hold, at most up to `to`; says how much that was. */
  #appendBytes(data: Uint8Array, from: number, to: number): number {
    const batch = this.#room(Math.min(to - from, BATCH_BYTES - this.#used || BATCH_BYTES));
    const count = Math.min(to - from, batch.length - this.#used);
    batch.set(from === 0 && count === data.length ? data : data.subarray(from, from + count), this.#used);
    this.#used += count;
    this.#inFlightBytes += count;
    return count;
  }

  /** A batch with room for that many bytes at #used: the present one, grown if need be, or a new one. */
  #room(bytes: number): Buffer {
    const needed = this.#used + bytes;
    if (this.#batch && needed <= this.#batch.length) return this.#batch;
    if (this.#batch && needed <= BATCH_BYTES) {
      const larger = Buffer.allocUnsafe(Math.min(BATCH_BYTES, Math.max(needed, this.#batch.length * 4)));
      this.#batch.copy(larger, 0, 0, this.#used);
      return (this.#batch = larger);
    }
    this.#closeBatch();
    const size = Math.max(bytes, this.#nextBatchBytes);
    return (this.#batch = size > BATCH_BYTES / 2 ? fullSizeBatch() : Buffer.allocUnsafe(size));
  }

  #closeBatch(): void {
    if (this.#batch === undefined || this.#used === 0) return;
    this.#nextBatchBytes = Math.min(BATCH_BYTES, Math.max(FIRST_BATCH_BYTES, this.#used * 2));
    this.#full.push(this.#batch.subarray(0, this.#used));
    this.#batch = undefined;
    this.#used = 0;
  }

  #schedule(): void {
    if (this.#writing) return;
    if (this.#full.length > 0) {
      this.#advance();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#onTick);
    }
  }

  readonly #onTick = (): void => {
    this.#scheduled = false;
    this.#advance();
  };

  /** Moves what waits into batches as far as the bound allows, and keeps one write under way. */
  #advance(): void {
    this.#admit();
    if (this.#writing || this.#socket.destroyed) return;
    if (this.#full.length === 0) this.#closeBatch();
    const batch = this.#full.shift();
    if (batch === undefined) {
      if (this.#ended && !this.#socket.writableEnded) this.#socket.end();
      return;
    }
    this.#writing = true;
    this.#onWrite();
    this.#socket.write(batch, () => {
      this.#writing = false;
      this.#inFlightBytes -= batch.length;
      recycle(batch);
      this.#advance();
    });
  }

  #admit(): void {
    for (let frame = this.#waiting.peek(); frame; frame = this.#waiting.peek()) {
      const { kind, payload } = frame;
      while (this.#inFlightBytes < IN_FLIGHT_BYTES) {
        if (frame.offset === 0) {
          this.#appendHeader(kind, payload.length);
          frame.offset = HEADER_BYTES;
        }
        const from = frame.offset - HEADER_BYTES;
        if (from === payload.length) break;
        frame.offset += this.#appendBytes(payload, from, payload.length);
      }
      if (frame.offset < HEADER_BYTES + payload.length) return;
      this.#waiting.shift();
      frame.taken();
    }
  }
}
