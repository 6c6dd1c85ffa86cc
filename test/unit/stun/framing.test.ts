// STUN and ChannelData on a stream: frames do not depend on how the network cuts them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, WayleaveError } from '../../../src/errors.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import {
  decodeChannelData,
  encodeChannelData,
  type Frame,
  isChannelNumber,
  StreamFramer,
} from '../../../src/stun/framing.js';

const stun = (data: Buffer) =>
  encodeMessage({
    class: 'indication',
    method: 'Send',
    transactionId: newTransactionId(),
    attributes: [['DATA', data]],
  });

function framesOf(framer: StreamFramer, chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let frame = framer.next(); frame; frame = framer.next()) frames.push(frame);
  }
  return frames;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map(place => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i]!, end));
}

const payload = fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes));
const frame: fc.Arbitrary<{ bytes: Buffer; frame: Frame }> = fc.oneof(
  payload.map(stun).map(bytes => ({ bytes, frame: { kind: 'stun' as const, bytes } })),
  fc.tuple(fc.integer({ min: 0x4000, max: 0x4fff }), payload).map(([channel, data]) => ({
    bytes: encodeChannelData(channel, data, true),
    frame: { kind: 'channel-data' as const, channel, data },
  })),
);

describe('a stream of frames', () => {
  it('is the same however it is cut: 10,000 cuts', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (all, places) => {
        const stream = Buffer.concat(all.map(({ bytes }) => bytes));
        const frames = framesOf(new StreamFramer(), cut(stream, places));
        expect(frames).toEqual(all.map(({ frame }) => frame));
      }),
      { numRuns: 10_000 },
    );
  });

  it('gives back what follows a frame, for a stream that becomes raw data', () => {
    const answer = stun(Buffer.alloc(5));
    const stream = Buffer.concat([answer, Buffer.from('raw data of the peer')]);
    for (let at = 1; at <= stream.length; at++) {
      const framer = new StreamFramer();
      framer.push(stream.subarray(0, at));
      let first = framer.next();
      if (!first) {
        framer.push(stream.subarray(at));
        first = framer.next();
      }
      expect(first).toEqual({ kind: 'stun', bytes: answer });
      const rest = framer.rest().toString();
      expect('raw data of the peer'.startsWith(rest)).toBe(true);
      if (at < answer.length || at === stream.length) expect(rest).toBe('raw data of the peer');
    }
  });

  it('gives back a frame that was only begun', () => {
    const framer = new StreamFramer();
    framer.push(Buffer.from([0x40, 0x00, 0x00]));
    expect(framer.next()).toBeUndefined();
    framer.push(Buffer.from([0x09, 1, 2]));
    expect(framer.next()).toBeUndefined();
    expect(framer.rest()).toEqual(Buffer.from([0x40, 0, 0, 9, 1, 2]));
    expect(framer.rest()).toHaveLength(0);
  });

  it('is refused when a frame says it is larger than the limit', () => {
    const framer = new StreamFramer(1_000);
    framer.push(Buffer.from([0x40, 0x00, 0x03, 0xe5]));
    expect(() => framer.next()).toThrow(DecodeError);
    const roomy = new StreamFramer(1_000);
    roomy.push(Buffer.from([0x40, 0x00, 0x03, 0xe4]));
    expect(roomy.next()).toBeUndefined();
  });

  it.each([
    [0x50, 0x00, 0, 0],
    [0x16, 0x03, 0x01, 0x01], // a TLS ClientHello: its length is no multiple of 4
    [0x80, 0x00, 0, 0],
  ])('is refused when it is something else: %i %i %i %i', (...bytes) => {
    const framer = new StreamFramer();
    framer.push(Buffer.from(bytes));
    expect(() => framer.next()).toThrow(DecodeError);
  });
});

describe('ChannelData in a datagram', () => {
  it('needs no padding, and tolerates it', () => {
    const data = Buffer.from('hello');
    expect(encodeChannelData(0x4001, data, false)).toHaveLength(9);
    expect(decodeChannelData(encodeChannelData(0x4001, data, false))).toEqual({ channel: 0x4001, data });
    expect(decodeChannelData(encodeChannelData(0x4001, data, true))).toEqual({ channel: 0x4001, data });
    expect(decodeChannelData(encodeChannelData(0x4001, Buffer.alloc(0), true)).data).toHaveLength(0);
  });

  it('is refused outside the numbers of RFC 8656, or cut short', () => {
    expect([0x3fff, 0x4000, 0x4fff, 0x5000].map(isChannelNumber)).toEqual([false, true, true, false]);
    expect(() => encodeChannelData(0x5000, Buffer.alloc(1), false)).toThrow(WayleaveError);
    expect(() => encodeChannelData(0x4000, Buffer.alloc(65_536), false)).toThrow(WayleaveError);
    expect(() => decodeChannelData(Buffer.from([0x40, 0]))).toThrow(DecodeError);
    expect(() => decodeChannelData(Buffer.from([0x70, 0, 0, 0]))).toThrow(DecodeError);
    expect(() => decodeChannelData(Buffer.from([0x40, 0, 0, 2, 1]))).toThrow(DecodeError);
  });
});
