// The STUN decoders against bytes that nobody should send: only DecodeError may come out, and at once.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/errors.js';
import { ATTRIBUTES, type AttributeName } from '../../src/stun/attributes.js';
import { encodeMessage } from '../../src/stun/encode.js';
import { decodeChannelData, encodeChannelData, StreamFramer } from '../../src/stun/framing.js';
import { verifyIntegrity } from '../../src/stun/integrity.js';
import { decodeMessage } from '../../src/stun/message.js';
import { plan } from '../unit/stun/arbitrary.js';
import { FUZZ_INPUTS, mutated, seeded } from './seeded.js';

const SEED = 0x57a7;
const NAMES = Object.keys(ATTRIBUTES) as AttributeName[];
const key = Buffer.from('key');

const corpus = fc
  .sample(plan, { numRuns: 400, seed: SEED })
  .map((message, i) => encodeMessage(i % 4 === 0 ? { ...message, integrity: { key } } : message));

/** Whether the input was accepted; anything but a DecodeError fails the test. */
function survives(input: Buffer, use: (input: Buffer) => void): boolean {
  try {
    use(input);
    return true;
  } catch (error) {
    if (error instanceof DecodeError && error.place !== '') return false;
    throw new Error(`seed ${SEED}: ${input.toString('hex')}`, { cause: error });
  }
}

function readAll(input: Buffer): void {
  const message = decodeMessage(input, { classic: true });
  verifyIntegrity(message, key, 'sha1');
  verifyIntegrity(message, key, 'sha256');
  const failures: unknown[] = [];
  for (const name of NAMES) {
    try {
      message.get(name);
    } catch (error) {
      failures.push(error);
    }
  }
  for (const failure of failures) if (!(failure instanceof DecodeError)) throw failure;
  message.attributes();
}

describe(`fuzz, ${FUZZ_INPUTS} inputs each`, () => {
  it('messages: every attribute of every mutated message', () => {
    const random = seeded(SEED);
    let accepted = 0;
    let slowestMs = 0;
    for (let i = 0; i < FUZZ_INPUTS; i++) {
      const input = mutated(corpus[random() % corpus.length]!, random);
      const start = performance.now();
      if (survives(input, readAll)) accepted++;
      slowestMs = Math.max(slowestMs, performance.now() - start);
    }
    // The twin: some mutations are harmless, so a decoder that refuses everything fails here.
    expect(accepted).toBeGreaterThan(FUZZ_INPUTS / 100);
    expect(accepted).toBeLessThan(FUZZ_INPUTS);
    expect(slowestMs).toBeLessThan(500); // the figure of 10 ms is for the machine at rest; this catches blow-ups
  });

  it('pure noise', () => {
    const random = seeded(SEED + 1);
    for (let i = 0; i < FUZZ_INPUTS; i++) {
      const input = Buffer.alloc(random() % 64);
      for (let at = 0; at < input.length; at++) input[at] = random() & 0xff;
      survives(input, readAll);
      survives(input, bytes => void decodeChannelData(bytes));
    }
  });

  it('streams: mutated frames, cut anywhere', () => {
    const random = seeded(SEED + 2);
    let frames = 0;
    for (let i = 0; i < FUZZ_INPUTS; i++) {
      const first = random() % 2 ? corpus[random() % corpus.length]! : encodeChannelData(0x4000, key, true);
      const stream = Buffer.concat([first, mutated(corpus[random() % corpus.length]!, random)]);
      const at = random() % stream.length;
      survives(stream, bytes => {
        const framer = new StreamFramer(4_096);
        for (const chunk of [bytes.subarray(0, at), bytes.subarray(at)]) {
          framer.push(chunk);
          while (framer.next()) frames++;
        }
      });
    }
    expect(frames).toBeGreaterThan(FUZZ_INPUTS / 2);
  });
});
