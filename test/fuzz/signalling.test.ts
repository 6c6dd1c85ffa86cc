// Whatever arrives, only a DecodeError leaves the decoders, and soon (security.md, row 3). FUZZ_RUNS=1000000 for
// more than the gate's 10^5.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/errors.js';
import { createIdentity } from '../../src/identity/keys.js';
import {
  CLIENT_FRAMES,
  checkFrame,
  parseFrame,
  readSend,
  readServerFrame,
} from '../../src/signalling/frames.js';
import { readBody, readPayload } from '../../src/signalling/messages.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 100_000);
const SLOWEST_MS = 10;
const ID = createIdentity().id;
const BOX = randomBytes(200).toString('base64');
const KEY = randomBytes(32).toString('base64url');

const FRAMES = [
  { type: 'challenge', nonce: KEY, protocol: 1 },
  {
    type: 'welcome',
    id: ID,
    seenAs: { host: '::1', port: 1 },
    stun: ['stun:x'],
    turn: [],
    limits: { boxBytes: 1, messagesPerSecond: 1, burst: 1 },
  },
  { type: 'sent', refs: [1, 2, 3] },
  { type: 'undelivered', refs: [1], reason: 'not-here' },
  { type: 'deliver', from: ID, seenFrom: '192.0.2.1', box: BOX },
  { type: 'goodbye', reason: 'draining' },
  { type: 'register', id: ID, host: 'x:1', signature: randomBytes(64).toString('base64url') },
  { type: 'send', ref: 1, to: ID, box: BOX },
].map(frame => JSON.stringify(frame));

const PAYLOADS = [
  { type: 'reverse-request', address: 'wl1x', endpoints: [{ host: '192.0.2.1', port: 1 }] },
  { type: 'refused', of: 'punch-offer', reason: 'no' },
  { type: 'cancel' },
].map(body =>
  JSON.stringify({ v: 1, id: 'A'.repeat(22), sentAt: 1, key: KEY, attempt: 'a', side: 'initiator', body }),
);

const DECODERS: Record<string, (text: string) => unknown> = {
  'frame from the server': readServerFrame,
  'frame from a client': text => {
    const frame = parseFrame(text);
    return readSend(frame) ?? checkFrame(CLIENT_FRAMES, frame);
  },
  'sealed payload': text => readBody(readPayload(Buffer.from(text, 'latin1')).body),
};

/** Anything; JSON of anything; and valid texts with something inside replaced, doubled or cut away. */
const input = (valid: readonly string[]): fc.Arbitrary<string> => {
  const text = fc.constantFrom(...valid);
  const spliced = fc
    .tuple(
      text,
      fc.nat(),
      fc.nat(40),
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.constantFrom('"', '{', '[', '\\u0000', '__proto__', '1e999', '-0', 'null'),
      ),
    )
    .map(([whole, at, length, put]) => {
      const start = at % whole.length;
      return whole.slice(0, start) + put + whole.slice(start + length);
    });
  const otherValue = fc.tuple(text, fc.nat(), fc.anything()).map(([whole, which, value]) => {
    const object = JSON.parse(whole) as Record<string, unknown>;
    const keys = Object.keys(object);
    object[keys[which % keys.length]!] = value;
    return JSON.stringify(object, (_, v) => (typeof v === 'bigint' ? Number(v) : v)) ?? '';
  });
  return fc.oneof(
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 4, arbitrary: spliced },
    { weight: 4, arbitrary: otherValue },
  );
};

function attempt(
  decode: (text: string) => unknown,
  text: string,
  tally: { accepted: number; refused: number },
) {
  try {
    decode(text);
    tally.accepted++;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    tally.refused++;
  }
}

/** A pause of the machine happens once; a slow input is slow each time. */
function isSlow(run: () => void): boolean {
  return [1, 2, 3, 4].every(() => {
    const startedAt = performance.now();
    run();
    return performance.now() - startedAt > SLOWEST_MS;
  });
}

describe('signalling decoders', () => {
  it.each(Object.entries(DECODERS))(
    '%s: only a DecodeError escapes',
    { timeout: 600_000 },
    (name, decode) => {
      const valid = name === 'sealed payload' ? PAYLOADS : FRAMES;
      for (const text of valid) expect(() => decode(text)).not.toThrow();
      const tally = { accepted: 0, refused: 0 };
      const slow: string[] = [];
      fc.assert(
        fc.property(input(valid), text => {
          if (isSlow(() => attempt(decode, text, tally))) slow.push(text);
        }),
        { numRuns: RUNS },
      );
      expect(tally.refused).toBeGreaterThan(RUNS / 20); // the inputs were bad enough,
      expect(tally.accepted).toBeGreaterThan(RUNS / 1000); // and not only bad
      expect(slow).toEqual([]);
    },
  );
});
