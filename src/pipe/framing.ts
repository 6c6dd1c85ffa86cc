// How a byte stream carries messages: each frame is a 4-byte big-endian header (top 4 bits: kind, lower 28
// bits: length in bytes) and its payload. Pure: bytes in, frames out, however the stream was cut.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   | kind  |                       length                          |
import { WayleaveError } from '../errors.js';

/** Kind numbers as they stand on the wire; 8 to 15 are not assigned and end the connection. */
export const KIND = {
  message: 0,
  /** JSON: what the TLS client wants; the first frame of every connection. */
  hello: 1,
  /** The TLS server agrees. */
  accept: 2,
  /** JSON: goodbye, with the reason. Nothing follows. */
  close: 3,
  /** No more messages from this side (the half close of the byte stream view). */
  end: 4,
  /** Nothing to say, still here. */
  heartbeat: 5,
  /** Eight bytes that the other side's pipe sends back in a pong. */
  ping: 6,
  pong: 7,
} as const;
export type FrameKind = (typeof KIND)[keyof typeof KIND];

export const HEADER_BYTES = 4;
/** What a ping and its pong hold. */
export const PING_BYTES = 8;
/** 16 MiB: larger things belong in a stream. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** 4 KiB: what any frame but a message may hold. */
export const MAX_CONTROL_BYTES = 4 * 1024;
/** 64 KiB: memory given on the word of a header alone; beyond it only for bytes that came. */
const FIRST_ALLOCATION_BYTES = 64 * 1024;

const EMPTY = Buffer.alloc(0);

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

export function frameHeader(kind: FrameKind, length: number): number {
  return ((kind << 28) | length) >>> 0;
}

/** A whole frame with a JSON payload, or none. */
export function encodeControl(kind: FrameKind, content?: object): Buffer {
  const payload = content === undefined ? EMPTY : Buffer.from(JSON.stringify(content));
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(frameHeader(kind, payload.length), 0);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/**
 * Cuts a stream into frames: `push` what arrived, then call `next` until it has no more. Frames that lie whole
 * in one chunk are views of it, nothing is copied; others are gathered in a buffer that grows with what came.
 */
export class FrameDecoder {
  #chunk: Buffer = EMPTY;
  #offset = 0;
  #header = 0;
  #headerBytes = 0;
  /** The frame being gathered over several chunks. */
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;

  push(chunk: Buffer): void {
    const rest = this.#chunk.length - this.#offset;
    this.#chunk = rest === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#offset), chunk]);
    this.#offset = 0;
  }

  /** Whether the stream so far ends at a frame's end. */
  get atBoundary(): boolean {
    return this.#offset === this.#chunk.length && this.#headerBytes === 0;
  }

  /**
   * The next whole frame, or undefined until more is pushed.
   * @throws WayleaveError `message-too-large` or `protocol-error`; the decoder is of no use afterwards.
   */
  next(): Frame | undefined {
    if (this.#headerBytes < HEADER_BYTES && !this.#readHeader()) return undefined;
    const kind = (this.#header >>> 28) as FrameKind;
    const length = this.#header & 0x0fff_ffff;
    const payload = this.#gathered === undefined ? this.#whole(length) : this.#gather(length);
    if (payload === undefined) return undefined;
    this.#headerBytes = 0;
    if (this.#offset === this.#chunk.length) this.#release();
    return { kind, payload };
  }

  #readHeader(): boolean {
    const chunk = this.#chunk;
    if (this.#headerBytes === 0 && chunk.length - this.#offset >= HEADER_BYTES) {
      this.#header = chunk.readUInt32BE(this.#offset);
      this.#offset += HEADER_BYTES;
    } else {
      if (this.#headerBytes === 0) this.#header = 0;
      while (this.#headerBytes < HEADER_BYTES && this.#offset < chunk.length) {
        this.#header = ((this.#header << 8) | chunk[this.#offset++]!) >>> 0;
        this.#headerBytes++;
      }
      if (this.#headerBytes < HEADER_BYTES) {
        this.#release();
        return false;
      }
    }
    this.#headerBytes = HEADER_BYTES;
    checkHeader(this.#header);
    return true;
  }

  #whole(length: number): Buffer | undefined {
    const start = this.#offset;
    if (this.#chunk.length - start < length) return this.#gather(length);
    this.#offset = start + length;
    return length === 0 ? EMPTY : this.#chunk.subarray(start, start + length);
  }

  #gather(length: number): Buffer | undefined {
    const arrived = Math.min(this.#chunk.length - this.#offset, length - this.#gatheredBytes);
    const total = this.#gatheredBytes + arrived;
    const room = this.#gathered?.length ?? 0;
    if (this.#gathered === undefined || room < total) {
      const capacity = Math.min(length, Math.max(FIRST_ALLOCATION_BYTES, room * 2, total));
      const larger = Buffer.allocUnsafeSlow(capacity);
      this.#gathered?.copy(larger, 0, 0, this.#gatheredBytes);
      this.#gathered = larger;
    }
    this.#chunk.copy(this.#gathered, this.#gatheredBytes, this.#offset, this.#offset + arrived);
    this.#offset += arrived;
    this.#gatheredBytes = total;
    if (total < length) {
      this.#release();
      return undefined;
    }
    const payload = this.#gathered;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    return payload;
  }

  /** Lets go of a chunk that is used up: an idle connection should not hold 16 KiB. */
  #release(): void {
    this.#chunk = EMPTY;
    this.#offset = 0;
  }
}

function checkHeader(header: number): void {
  const kind = header >>> 28;
  const length = header & 0x0fff_ffff;
  if (kind > KIND.pong) throw new WayleaveError('protocol-error', `frame of unknown kind ${kind}`);
  if (kind === KIND.message) {
    if (length <= MAX_MESSAGE_BYTES) return;
    throw new WayleaveError('message-too-large', `the peer announced a message of ${length} bytes`);
  }
  const isPing = kind === KIND.ping || kind === KIND.pong;
  if (isPing ? length !== PING_BYTES : length > MAX_CONTROL_BYTES) {
    throw new WayleaveError('protocol-error', `control frame of ${length} bytes`);
  }
}
