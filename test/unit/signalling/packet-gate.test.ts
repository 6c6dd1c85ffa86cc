// Packets as MQTT 3.1.1 frames them, cut anywhere.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/errors.js';
import { PacketGate } from '../../../src/signalling/packet-gate.js';

const MAX = 300;

function packet(first: number, body: Buffer): Buffer {
  const length: number[] = [];
  for (let left = body.length; ; ) {
    const byte = left & 0x7f;
    left >>= 7;
    length.push(left > 0 ? byte | 0x80 : byte);
    if (left === 0) return Buffer.concat([Buffer.from([first, ...length]), body]);
  }
}

function publish({ topic, payload, qos, id }: { topic: string; payload: number; qos: number; id: number }) {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(Buffer.byteLength(topic));
  const identifier = Buffer.alloc(qos > 0 ? 2 : 0);
  if (qos > 0) identifier.writeUInt16BE(id);
  return packet(
    0x30 | (qos << 1),
    Buffer.concat([head, Buffer.from(topic), identifier, Buffer.alloc(payload, 7)]),
  );
}

function feed(gate: PacketGate, chunks: readonly Buffer[]) {
  const passed = chunks.map(chunk => gate.feed(chunk));
  return {
    bytes: Buffer.concat(passed.flatMap(({ bytes }) => bytes)),
    acknowledged: passed.flatMap(({ acknowledgements }) => acknowledgements.map(ack => ack.readUInt16BE(2))),
  };
}

describe('the gate', () => {
  it('lets through what is short, passes over what is long and acknowledges it, however the stream is cut', () => {
    const anyPublish = fc.record({
      topic: fc.string({ maxLength: 12 }),
      payload: fc.oneof(fc.nat(280), fc.integer({ min: 310, max: 40_000 })),
      qos: fc.integer({ min: 0, max: 1 }),
      id: fc.integer({ min: 1, max: 65_535 }),
    });
    const packets = fc.array(fc.oneof(anyPublish, fc.constant(undefined)), { maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(packets, cuts, (sent, sizes) => {
        const all = sent.map(one => (one ? publish(one) : packet(0xd0, Buffer.alloc(0)))); // PINGRESP
        const stream = Buffer.concat(all);
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length]!;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        const isLong = (index: number) => all[index]!.length > MAX + 3;
        const { bytes, acknowledged } = feed(new PacketGate(MAX), chunks);
        expect(bytes.equals(Buffer.concat(all.filter((_, index) => !isLong(index))))).toBe(true);
        expect(acknowledged).toEqual(
          sent.flatMap((one, index) => (one && one.qos === 1 && isLong(index) ? [one.id] : [])),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('holds nothing of what it passes over', () => {
    const gate = new PacketGate(MAX);
    const { bytes } = feed(gate, [Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1, 65, 0, 9])]); // 256 MiB announced
    expect(bytes).toHaveLength(0);
    expect(feed(gate, [Buffer.alloc(1 << 20)]).bytes).toHaveLength(0);
  });

  it.each([
    ['a length of five bytes', [0x30, 0xff, 0xff, 0xff, 0xff, 1]],
    ['any other packet that is too long', [0x90, 0xff, 0x7f, 0, 1]],
  ])('%s is a protocol error', (_, bytes) => {
    expect(() => new PacketGate(MAX).feed(Buffer.from(bytes))).toThrow(DecodeError);
  });
});
