// Whatever arrives from NATS, only a DecodeError leaves the decoders, and soon (security.md, row 3).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as wire from '../../signalling-server/backplane/wire.js';
import { DecodeError } from '../../src/errors.js';
import { createIdentity } from '../../src/identity/keys.js';
import { MAX_BOX_BYTES } from '../../src/signalling/frames.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 100_000);
const { id } = createIdentity();
const PROCESS = 'AAAAbbbb0000__--';
const WAY = 'AAAAbbbb0000__--.CCCC__--';
const delivery = (box: string, seenFrom = '2001:db8::1') =>
  `{"type":"deliver","from":"${id}","seenFrom":"${seenFrom}","box":"${box}"}`;
const VALID = [
  delivery('QUJD'),
  JSON.stringify({ by: PROCESS, claims: [[id, 1_700_000_000_000, WAY]] }),
  JSON.stringify({ sent: [1, 2], 'not-here': [3], unavailable: [] }),
  JSON.stringify({ stamp: 5 }),
  wire.seatSubject(id),
  wire.waits(PROCESS, 17),
  wire.waits(PROCESS, 'outcomes'),
];
const READERS = [
  wire.readDelivery,
  wire.readClaims,
  wire.readOutcomes,
  wire.readStamp,
  (bytes: Uint8Array) => wire.readSeatSubject(Buffer.from(bytes).toString()),
  (bytes: Uint8Array) => wire.readWaits(Buffer.from(bytes).toString()),
];

/** Something valid with a few bytes changed, cut off or put in; or anything at all. */
const almost = fc
  .tuple(
    fc.constantFrom(...VALID),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: -1, max: 255 })), { maxLength: 4 }),
  )
  .map(([text, edits]) => {
    let bytes = Buffer.from(text);
    for (const [at, value] of edits) {
      const place = at % (bytes.length + 1);
      if (value < 0) bytes = bytes.subarray(0, place);
      else if (at % 2 === 0 && place < bytes.length) bytes[place] = value;
      else bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from([value]), bytes.subarray(place)]);
    }
    return bytes;
  });
const anything = fc.oneof(
  { weight: 4, arbitrary: almost },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
);

describe('what arrives from NATS', () => {
  it(`${RUNS} payloads and subjects: nothing but a DecodeError escapes`, { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(anything, bytes => {
        for (const read of READERS) {
          try {
            read(bytes);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
          }
        }
      }),
      { numRuns: Math.ceil(RUNS / READERS.length) },
    );
  });

  it('a delivery that passes is what it was, and safe to hand to a client as it is', () => {
    fc.assert(
      fc.property(anything, bytes => {
        let text: string;
        try {
          text = wire.readDelivery(bytes);
        } catch {
          return;
        }
        expect(text).toBe(bytes.toString());
        const { type, from, seenFrom, box, ...more } = JSON.parse(text);
        expect([type, more, JSON.stringify({ type, from, seenFrom, box })]).toEqual(['deliver', {}, text]);
      }),
      { numRuns: 10_000 },
    );
  });

  it('what one process writes another reads', () => {
    const largest = delivery(
      Buffer.alloc(MAX_BOX_BYTES, 255).toString('base64'),
      `fe80::1%${'x'.repeat(37)}`,
    );
    for (const text of [delivery('QUJD'), delivery('QQ==', '127.0.0.1'), largest])
      expect(wire.readDelivery(Buffer.from(text))).toBe(text);
    expect(wire.readSeatSubject(wire.seatSubject(id))).toBe(id);
    for (const what of [0, 1, Number.MAX_SAFE_INTEGER, 'outcomes', 'stamp'] as const)
      expect(wire.readWaits(wire.waits(PROCESS, what))).toEqual({ process: PROCESS, what });
    const claims = { by: PROCESS, claims: Array.from({ length: wire.MAX_CLAIMS }, () => [id, 2 ** 52, WAY]) };
    expect(wire.readClaims(Buffer.from(JSON.stringify(claims)))).toEqual(claims);
    const outcomes = { 'too-slow': Array.from({ length: wire.MAX_OUTCOMES }, () => Number.MAX_SAFE_INTEGER) };
    expect(wire.readOutcomes(Buffer.from(JSON.stringify(outcomes)))).toEqual(outcomes);
  });
});
