// The frame table: what is valid passes unchanged, what is not is refused with its place, and the server's fast
// reading of `send` agrees with the table on everything.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/errors.js';
import { createIdentity } from '../../../src/identity/keys.js';
import {
  CLIENT_FRAMES,
  type ClientFrames,
  checkFrame,
  MAX_BOX_BYTES,
  MAX_CLIENT_FRAME_BYTES,
  MAX_SERVER_FRAME_BYTES,
  parseFrame,
  readSend,
  readServerFrame,
} from '../../../src/signalling/frames.js';

const ID = createIdentity().id;
const NONCE = Buffer.alloc(32, 7).toString('base64url');
const box = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');

const validFrames = [
  { type: 'challenge', nonce: NONCE, protocol: 1 },
  {
    type: 'welcome',
    id: ID,
    seenAs: { host: '2001:db8::1', port: 40_000 },
    stun: ['stun:192.0.2.1:3478'],
    turn: [{ urls: ['turn:192.0.2.1:3478?transport=tcp'], username: 'u', credential: 'c', expiresAt: 1 }],
    limits: { boxBytes: 16_384, messagesPerSecond: 20, burst: 40 },
  },
  { type: 'sent', refs: [1, 2, 0xffff_ffff] },
  { type: 'undelivered', refs: [0], reason: 'not-here' },
  { type: 'deliver', from: ID, seenFrom: '192.0.2.9', box: box(100) },
  { type: 'goodbye', reason: 'draining' },
];

describe('frames from the server', () => {
  it.each(validFrames)('$type passes unchanged', frame => {
    expect(readServerFrame(JSON.stringify(frame))).toEqual(frame);
  });

  it.each(validFrames)('$type with a field of a later version passes without it', frame => {
    expect(readServerFrame(JSON.stringify({ ...frame, later: { x: 1 } }))).toEqual(frame);
  });

  it.each(validFrames)('$type lacking any one field is refused, naming it', frame => {
    for (const field of Object.keys(frame).filter(key => key !== 'type')) {
      const { [field]: _, ...rest } = frame as Record<string, unknown>;
      expect(() => readServerFrame(JSON.stringify(rest))).toThrow(`frame/${frame.type}/${field}`);
    }
  });

  it.each(['hello', 'constructor', '__proto__', 'toString'])('the unknown type %s is not an error', type => {
    expect(readServerFrame(JSON.stringify({ type }))).toBeUndefined();
  });

  it.each(['', '{', 'null', '[]', '7', '"welcome"', '{"type":7}'])('%j is refused', text => {
    expect(() => readServerFrame(text)).toThrow(DecodeError);
  });

  it('a box of 16 KiB fits its frames, one byte more does not', () => {
    const deliver = (bytes: number) =>
      JSON.stringify({
        type: 'deliver',
        from: ID,
        seenFrom: '2001:db8:1111:2222:3333:4444:5555:6666',
        box: box(bytes),
      });
    expect(deliver(MAX_BOX_BYTES).length).toBeLessThan(MAX_SERVER_FRAME_BYTES);
    expect(readServerFrame(deliver(MAX_BOX_BYTES))).toBeDefined();
    expect(() => readServerFrame(deliver(MAX_BOX_BYTES + 3))).toThrow('frame/deliver/box');
    const send = JSON.stringify({ type: 'send', ref: 0xffff_ffff, to: ID, box: box(MAX_BOX_BYTES) });
    expect(send.length).toBeLessThan(MAX_CLIENT_FRAME_BYTES);
    expect(readSend(parseFrame(send))).toBeDefined();
  });
});

describe('send, read by hand', () => {
  const byTable = (value: { type: string }): ClientFrames['send'] | undefined => {
    try {
      return value.type === 'send' ? (checkFrame(CLIENT_FRAMES, value) as ClientFrames['send']) : undefined;
    } catch {
      return undefined;
    }
  };
  // Mostly valid values, so that one wrong field decides
  const usually = (valid: fc.Arbitrary<unknown>, ...near: unknown[]) =>
    fc.oneof(
      { weight: 20, arbitrary: valid },
      { weight: 3, arbitrary: fc.constantFrom(...near) },
      fc.anything(),
    );
  const base64 = fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map(bytes => Buffer.from(bytes).toString('base64'));
  const frame = fc.record(
    {
      type: usually(fc.constant('send'), 'register', 'SEND', undefined),
      ref: usually(fc.nat(), -1, 1.5, 0xffff_ffff, 0x1_0000_0000, Number.NaN, Number.POSITIVE_INFINITY, '1'),
      to: usually(fc.constant(ID), ID.toUpperCase(), ID.slice(1), `${ID}a`, `${ID}\n`),
      box: usually(
        base64,
        '',
        'A',
        'AAAAA',
        '====',
        'AA==\n',
        'AA=A',
        'A===',
        'AA-_',
        box(MAX_BOX_BYTES + 3),
      ),
    },
    { requiredKeys: ['type'] },
  );

  it('agrees with the table (10^4)', () => {
    let valid = 0;
    fc.assert(
      fc.property(frame, value => {
        const expected = byTable(value as { type: string });
        expect(readSend(value as { type: string })).toEqual(expected);
        if (expected) valid++;
      }),
      { numRuns: 10_000 },
    );
    expect(valid).toBeGreaterThan(1000); // the property was not about refusals alone
  });
});
