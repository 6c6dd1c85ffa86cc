// What the two ends of a forwarding say to each other, one frame a message of the pipe: a type, the connection it
// is about, and what belongs to it. Pure.
//
//    0      1                           5
//   | type | connection, big-endian u32 | bytes (data) or a u32 count of bytes (credit) or nothing |
import { WayleaveError } from '../errors.js';

/** Type numbers as they stand on the wire. */
const TYPE = { open: 0, data: 1, credit: 2, end: 3, reset: 4 } as const;

export type MuxFrame =
  /** A connection was made to the near port. */
  | { readonly type: 'open'; readonly id: number }
  | { readonly type: 'data'; readonly id: number; readonly bytes: Buffer }
  /** So many bytes of data were taken by the socket: as many more may come. */
  | { readonly type: 'credit'; readonly id: number; readonly count: number }
  /** No more data this way; the other way goes on (TCP's FIN). */
  | { readonly type: 'end'; readonly id: number }
  /** Neither way goes on (TCP's RST). */
  | { readonly type: 'reset'; readonly id: number };

const HEADER_BYTES = 5;
/** 32 KiB: a frame small enough that a hundred connections share a pipe fairly. */
export const MAX_DATA_BYTES = 32 * 1024;

export function encodeMuxFrame(frame: MuxFrame): Buffer {
  const extra = frame.type === 'data' ? frame.bytes.length : frame.type === 'credit' ? 4 : 0;
  const message = Buffer.allocUnsafe(HEADER_BYTES + extra);
  message[0] = TYPE[frame.type];
  message.writeUInt32BE(frame.id, 1);
  if (frame.type === 'data') message.set(frame.bytes, HEADER_BYTES);
  if (frame.type === 'credit') message.writeUInt32BE(frame.count, HEADER_BYTES);
  return message;
}

/**
 * Data bytes are a view of the message.
 * @throws WayleaveError `protocol-error`.
 */
export function decodeMuxFrame(message: Buffer): MuxFrame {
  if (message.length < HEADER_BYTES) throw muxFault(`a frame of ${message.length} bytes`);
  const id = message.readUInt32BE(1);
  const extra = message.length - HEADER_BYTES;
  switch (message[0]) {
    case TYPE.data:
      if (extra === 0 || extra > MAX_DATA_BYTES) throw muxFault(`${extra} bytes of data in one frame`);
      return { type: 'data', id, bytes: message.subarray(HEADER_BYTES) };
    case TYPE.credit:
      if (extra !== 4) throw muxFault('a credit of the wrong size');
      return { type: 'credit', id, count: message.readUInt32BE(HEADER_BYTES) };
    case TYPE.open:
    case TYPE.end:
    case TYPE.reset:
      if (extra !== 0) throw muxFault(`${extra} bytes after a frame of type ${message[0]}`);
      return { type: message[0] === TYPE.open ? 'open' : message[0] === TYPE.end ? 'end' : 'reset', id };
    default:
      throw muxFault(`a frame of unknown type ${message[0]}`);
  }
}

export function muxFault(what: string): WayleaveError {
  return new WayleaveError('protocol-error', `the other end of the forwarding sent ${what}`);
}
