// The frames do not depend on how the stream was cut (row 6), memory follows what came (row 8), and whatever
// comes, nothing but the typed error gets out (row 3).
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WayleaveError } from '../../src/errors.js';
import { type Frame, FrameDecoder, type FrameKind, frameHeader, KIND } from '../../src/pipe/framing.js';
import { FUZZ_INPUTS, mutated, seeded } from './seeded.js';

function encode({ kind, payload }: Frame): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(frameHeader(kind, payload.length));
  return Buffer.concat([header, payload]);
}

/** Decodes the stream in the given pieces; sometimes pushes again before everything is taken out. */
function decodeCut(stream: Buffer, cuts: readonly number[], lazy = false): Frame[] {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  const points = [...cuts].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...points, stream.length]) {
    decoder.push(stream.subarray(from, to));
    from = to;
    for (let frame = decoder.next(); frame; frame = decoder.next()) {
      frames.push(frame);
      if (lazy) break;
    }
  }
  for (let frame = decoder.next(); frame; frame = decoder.next()) frames.push(frame);
  return frames;
}

const frame = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant(KIND.message as FrameKind), size: fc.nat(300) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant(KIND.message as FrameKind), size: fc.nat(200_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant(KIND.close as FrameKind), size: fc.nat(4096) }) },
  { weight: 1, arbitrary: fc.constant({ kind: KIND.ping as FrameKind, size: 8 }) },
);

test('10,000 random ways to cut a stream give the same frames', () => {
  let fill = 1;
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
      fc.boolean(),
      (shapes, cuts, lazy) => {
        const frames = shapes.map(({ kind, size }) => ({
          kind,
          payload: Buffer.alloc(size, (fill = (fill * 31) & 255) | 1),
        }));
        const stream = Buffer.concat(frames.map(encode));
        const points = cuts.map(cut => Math.floor(cut * stream.length));
        const decoded = decodeCut(stream, points, lazy);
        expect(decoded.length).toBe(frames.length);
        decoded.forEach(({ kind, payload }, i) => {
          if (kind !== frames[i]!.kind || !payload.equals(frames[i]!.payload))
            expect(decoded[i]).toEqual(frames[i]);
        });
      },
    ),
    { numRuns: 10_000 },
  );
}, 120_000);

test('a 1 MiB message in chunks of one byte takes no more than 4 MiB', () => {
  const payload = Buffer.alloc(1024 * 1024, 'wayleave');
  const stream = encode({ kind: KIND.message, payload });
  const decoder = new FrameDecoder();
  const before = memory();
  let most = 0;
  let decoded: Frame | undefined;
  for (let i = 0; i < stream.length; i++) {
    decoder.push(stream.subarray(i, i + 1));
    decoded = decoder.next();
    if (i % 65_536 === 0) most = Math.max(most, memory() - before);
  }
  expect(decoded?.payload.equals(payload)).toBe(true);
  // garbage of the young generation is not counted: the buffers that the decoder holds are
  expect(most).toBeLessThanOrEqual(4 * 1024 * 1024);
});

function memory(): number {
  return process.memoryUsage().arrayBuffers;
}

test(`${FUZZ_INPUTS.toLocaleString('en')} hostile streams: nothing but the typed error gets out`, () => {
  const seed = Date.now() | 0;
  const random = seeded(seed);
  const honest = Buffer.concat(
    [300, 0, 8, 60_000].map((size, i) =>
      encode({ kind: i === 2 ? KIND.ping : KIND.message, payload: Buffer.alloc(size, i) }),
    ),
  );
  let refused = 0;
  let passed = 0;
  for (let i = 0; i < FUZZ_INPUTS; i++) {
    const whole = i % 50 === 0;
    const stream = mutated(whole ? honest : honest.subarray(0, random() % 600), random);
    const cuts = Array.from({ length: random() % 4 }, () => random() % (stream.length + 1));
    try {
      passed += decodeCut(stream, cuts).length;
    } catch (error) {
      if (!(error instanceof WayleaveError)) throw new Error(`seed ${seed}, input ${i}`, { cause: error });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(FUZZ_INPUTS / 100);
  expect(passed).toBeGreaterThan(FUZZ_INPUTS / 100);
}, 120_000);
