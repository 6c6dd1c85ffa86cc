import { describe, expect, test } from 'vitest';
import {
  encodeControl,
  FrameDecoder,
  frameHeader,
  KIND,
  MAX_CONTROL_BYTES,
  MAX_MESSAGE_BYTES,
} from '../../../src/pipe/framing.js';

function header(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(frameHeader(kind as 0, length));
  return bytes;
}

function decode(...chunks: Buffer[]) {
  const decoder = new FrameDecoder();
  const frames = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame; frame = decoder.next()) frames.push(frame);
  }
  return frames;
}

test('the kind is in the top four bits, the length in the rest, big-endian', () => {
  expect(header(KIND.message, 5)).toEqual(Buffer.from([0, 0, 0, 5]));
  expect(header(KIND.pong, 8)).toEqual(Buffer.from([0x70, 0, 0, 8]));
  expect(encodeControl(KIND.accept)).toEqual(Buffer.from([0x20, 0, 0, 0]));
  expect(encodeControl(KIND.close, { a: 1 }).toString('latin1')).toBe('\x30\0\0\x07{"a":1}');
});

test('several frames in one chunk are views of it: nothing is copied', () => {
  const chunk = Buffer.concat([
    header(0, 3),
    Buffer.from('one'),
    header(0, 0),
    header(0, 3),
    Buffer.from('two'),
  ]);
  const frames = decode(chunk);
  expect(frames.map(({ payload }) => payload.toString())).toEqual(['one', '', 'two']);
  expect(frames[0]!.payload.buffer).toBe(chunk.buffer);
  expect(frames[2]!.payload.buffer).toBe(chunk.buffer);
});

test('a frame over several chunks is gathered, also when its header is cut', () => {
  const frames = decode(Buffer.from([0]), Buffer.from([0, 0]), Buffer.from([4, 97]), Buffer.from('bcd\x20'));
  expect(frames).toEqual([{ kind: KIND.message, payload: Buffer.from('abcd') }]);
});

test('a gathered frame of a longer stream keeps its bytes when the chunk is reused', () => {
  const decoder = new FrameDecoder();
  const chunk = Buffer.concat([header(0, 6), Buffer.from('abc')]);
  decoder.push(chunk);
  expect(decoder.next()).toBeUndefined();
  chunk.fill(0);
  decoder.push(Buffer.from('def'));
  expect(decoder.next()?.payload.toString()).toBe('abcdef');
});

describe('limits are checked on the header alone', () => {
  test.each([
    ['a message of 16 MiB and a byte', KIND.message, MAX_MESSAGE_BYTES + 1, 'message-too-large'],
    ['the largest length that can be written', KIND.message, 2 ** 28 - 1, 'message-too-large'],
    ['a close frame over 4 KiB', KIND.close, MAX_CONTROL_BYTES + 1, 'protocol-error'],
    ['a hello over 4 KiB', KIND.hello, MAX_CONTROL_BYTES + 1, 'protocol-error'],
    ['a ping that is not 8 bytes', KIND.ping, 9, 'protocol-error'],
    ['an unknown kind', 8, 0, 'protocol-error'],
    ['the last unknown kind', 15, 2 ** 28 - 1, 'protocol-error'],
  ])('%s', (_name, kind, length, code) => {
    expect(() => decode(header(kind, length))).toThrow(expect.objectContaining({ code }));
  });

  test('what is just within them passes', () => {
    expect(decode(header(KIND.message, MAX_MESSAGE_BYTES))).toEqual([]);
    expect(decode(header(KIND.close, MAX_CONTROL_BYTES), Buffer.alloc(MAX_CONTROL_BYTES, 1))).toHaveLength(1);
  });
});

test('memory follows the bytes that came, not the length that was announced', () => {
  const decoders: FrameDecoder[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 100; i++) {
    const decoder = new FrameDecoder();
    decoder.push(Buffer.concat([header(0, MAX_MESSAGE_BYTES), Buffer.from('x')]));
    expect(decoder.next()).toBeUndefined();
    decoders.push(decoder);
  }
  const perDecoder = (process.memoryUsage().arrayBuffers - before) / decoders.length;
  expect(perDecoder).toBeLessThan(66 * 1024); // of 16 MiB
});

test('a message of 16 MiB arrives whole', () => {
  const message = Buffer.alloc(MAX_MESSAGE_BYTES);
  for (let i = 0; i < message.length; i += 4096) message.writeUInt32BE(i, i);
  const stream = Buffer.concat([header(0, message.length), message]);
  const chunks = [];
  for (let from = 0; from < stream.length; from += 60_000) chunks.push(stream.subarray(from, from + 60_000));
  const frames = decode(...chunks);
  expect(frames).toHaveLength(1);
  expect(frames[0]!.payload.equals(message)).toBe(true);
});
