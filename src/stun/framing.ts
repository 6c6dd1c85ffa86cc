// STUN and ChannelData on one stream (RFC 8489 section 6.2.2, RFC 8656 section 12.5): the first two bits
// tell them apart, the header tells the length, and on a stream ChannelData is padded to a multiple of 4.
//
// ChannelData:  |   channel number 0x4000-0x4FFF   |   length of data   |   data …   |
import { DecodeError, WayleaveError } from '../errors.js';
import { HEADER_BYTES } from './message.js';

export const FIRST_CHANNEL = 0x4000;
/** RFC 8656 ends here; RFC 5766 allowed numbers up to 0x7FFF, which are refused. */
export const LAST_CHANNEL = 0x4fff;

const CHANNEL_HEADER_BYTES = 4;

export type Frame =
  | { readonly kind: 'stun'; readonly bytes: Buffer }
  | { readonly kind: 'channel-data'; readonly channel: number; readonly data: Buffer };

export function isChannelNumber(channel: number): boolean {
  return channel >= FIRST_CHANNEL && channel <= LAST_CHANNEL;
}

/**
 * One ChannelData message.
 * @param padded true on TCP and TLS; false on UDP, where padding is allowed but of no use.
 * @throws WayleaveError `bad-option`
 */
export function encodeChannelData(channel: number, data: Buffer, padded: boolean): Buffer {
  if (!isChannelNumber(channel) || data.length > 0xffff) {
    throw new WayleaveError('bad-option', `channel ${channel} with ${data.length} bytes`);
  }
  const end = CHANNEL_HEADER_BYTES + data.length;
  const bytes = Buffer.allocUnsafe(padded ? (end + 3) & ~3 : end);
  bytes.writeUInt16BE(channel, 0);
  bytes.writeUInt16BE(data.length, 2);
  data.copy(bytes, CHANNEL_HEADER_BYTES);
  bytes.fill(0, end);
  return bytes;
}

/** A datagram's ChannelData: what follows the declared length is padding. @throws DecodeError */
export function decodeChannelData(bytes: Buffer): { channel: number; data: Buffer } {
  if (bytes.length < CHANNEL_HEADER_BYTES) throw new DecodeError('channel-data', 'shorter than its header');
  const channel = bytes.readUInt16BE(0);
  if (!isChannelNumber(channel)) throw new DecodeError('channel-data/number', `0x${channel.toString(16)}`);
  const end = CHANNEL_HEADER_BYTES + bytes.readUInt16BE(2);
  if (end > bytes.length) throw new DecodeError('channel-data/length', 'longer than the datagram');
  return { channel, data: bytes.subarray(CHANNEL_HEADER_BYTES, end) };
}

/**
 * Cuts a byte stream into frames, however the network cut it: push what arrived, then take frames until
 * there are none. Holds one incomplete frame at most. A declared length over the limit is refused before
 * anything is allocated for it.
 */
export class StreamFramer {
  readonly #maxFrameBytes: number;
  #chunk: Buffer = Buffer.alloc(0);
  #partial: Buffer | undefined;
  #filled = 0;

  /** @param maxFrameBytes largest frame with its header; default: 65,555, all that the formats can say. */
  constructor(maxFrameBytes: number = HEADER_BYTES + 0xffff) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Adds what arrived; `chunk` must stay unchanged until its frames are taken. */
  push(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
  }

  /** The next whole frame, or undefined until more arrives. @throws DecodeError: the stream is lost. */
  next(): Frame | undefined {
    if (!this.#partial) {
      if (this.#chunk.length >= CHANNEL_HEADER_BYTES) {
        const size = this.#frameBytes(this.#chunk);
        if (this.#chunk.length >= size) return toFrame(this.#take(size));
        this.#partial = Buffer.allocUnsafe(size);
      } else if (this.#chunk.length > 0) {
        this.#partial = Buffer.allocUnsafe(CHANNEL_HEADER_BYTES);
      } else return undefined;
      this.#filled = 0;
    }
    this.#fill(this.#partial);
    if (this.#filled < this.#partial.length) return undefined;
    if (this.#partial.length === CHANNEL_HEADER_BYTES) {
      const size = this.#frameBytes(this.#partial);
      if (size > CHANNEL_HEADER_BYTES) {
        const whole = Buffer.allocUnsafe(size);
        this.#partial.copy(whole);
        this.#partial = whole;
        return this.next();
      }
    }
    const frame = this.#partial;
    this.#partial = undefined;
    return toFrame(frame);
  }

  /** Nothing has arrived that was not taken. */
  get empty(): boolean {
    return this.#chunk.length === 0 && this.#partial === undefined;
  }

  /** Gives back what arrived and is not part of a frame taken: for a stream that becomes raw data (RFC 6062). */
  rest(): Buffer {
    const begun = this.#partial?.subarray(0, this.#filled) ?? Buffer.alloc(0);
    const rest = begun.length === 0 ? this.#chunk : Buffer.concat([begun, this.#chunk]);
    this.#chunk = Buffer.alloc(0);
    this.#partial = undefined;
    return rest;
  }

  #take(size: number): Buffer {
    const taken = this.#chunk.subarray(0, size);
    this.#chunk = this.#chunk.subarray(size);
    return taken;
  }

  #fill(partial: Buffer): void {
    const wanted = Math.min(partial.length - this.#filled, this.#chunk.length);
    this.#take(wanted).copy(partial, this.#filled);
    this.#filled += wanted;
  }

  #frameBytes(header: Buffer): number {
    const first = header.readUInt16BE(0);
    const length = header.readUInt16BE(2);
    let size: number;
    if (first < 0x4000) {
      if (length % 4 !== 0) throw new DecodeError('header/length', `${length} is not a multiple of 4`);
      size = HEADER_BYTES + length;
    } else if (isChannelNumber(first)) size = CHANNEL_HEADER_BYTES + ((length + 3) & ~3);
    else throw new DecodeError('frame', `begins with 0x${first.toString(16)}: neither STUN nor ChannelData`);
    if (size > this.#maxFrameBytes) {
      throw new DecodeError('frame/length', `${size} bytes, more than ${this.#maxFrameBytes}`);
    }
    return size;
  }
}

function toFrame(bytes: Buffer): Frame {
  if (bytes[0]! < 0x40) return { kind: 'stun', bytes };
  return { kind: 'channel-data', ...decodeChannelData(bytes) };
}
