// The load generator's own parts: a checker that sees no fault proves nothing unless it sees those that there are.
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { History } from '../../bench/load/history.js';
import { addressed, LETTER_BYTES, numberIn, numbersIn, writeLetter } from '../../bench/load/letter.js';
import { FrameReader } from '../../bench/load/wire.js';
import { textFrame } from '../../signalling-server/text-frames.js';
import { createIdentity } from '../../src/identity/keys.js';
import { parseFrame, readSend } from '../../src/signalling/frames.js';

/** Exported by ws, not by its types. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

describe('the history', () => {
  const nothing = {
    sent: 1,
    delivered: 0,
    acknowledged: 0,
    reported: 0,
    abandoned: 0,
    unanswered: 0,
    doubled: 0,
    lost: 0,
    lostWithRecipient: 0,
  };
  it.each<[string, (history: History, number: number) => void, Partial<typeof nothing>]>([
    [
      'arrived and acknowledged',
      (h, n) => {
        h.arrived(n, 1);
        h.acknowledged(n);
      },
      { delivered: 1, acknowledged: 1 },
    ],
    ['reported back', (h, n) => h.reported(n), { reported: 1 }],
    ['never answered', () => {}, { unanswered: 1 }],
    [
      'arrived twice',
      (h, n) => {
        h.arrived(n, 1);
        h.arrived(n, 2);
        h.acknowledged(n);
      },
      { delivered: 1, acknowledged: 1, doubled: 1 },
    ],
    ['acknowledged and lost', (h, n) => h.acknowledged(n), { acknowledged: 1, lost: 1 }],
    [
      'acknowledged, the recipient gone',
      (h, n) => {
        h.acknowledged(n);
        h.ended(2, 20);
      },
      { acknowledged: 1, lostWithRecipient: 1 },
    ],
    [
      'acknowledged, the recipient gone before',
      (h, n) => {
        h.ended(2, 5);
        h.acknowledged(n);
      },
      { acknowledged: 1, lost: 1 },
    ],
    [
      'unanswered, the sender gone',
      (h, n) => {
        h.ended(1, 20);
        h.acknowledged(n);
      },
      { abandoned: 1 },
    ],
  ])('tells what became of a message: %s', (_, happen, told) => {
    const history = new History(10);
    happen(history, history.send(1, 2, 10));
    expect(history.verdict()).toEqual({ ...nothing, ...told });
  });

  it('counts a delay from when the message was meant to leave, and once', () => {
    const history = new History(10);
    for (const meantAt of [0, 10, 20]) history.send(1, 2, meantAt);
    history.arrived(2, 21);
    history.arrived(0, 5);
    history.arrived(0, 50);
    expect([...history.delaysMs()]).toEqual([1, 5]);
    expect([...history.delaysMs(1)]).toEqual([1]);
    expect(history.open).toBe(3);
  });
});

it('a letter is a frame that the server reads, with recipient and number', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3e9 }), fc.integer({ min: 0, max: 50 }), (number, at) => {
      const { id } = createIdentity();
      const out = Buffer.alloc(at + LETTER_BYTES);
      writeLetter(out, at, addressed(id), number);
      const received: Buffer[] = [];
      const receiver = new Receiver({ isServer: true });
      receiver.on('message', data => received.push(data));
      receiver.write(out.subarray(at));
      expect(received).toHaveLength(1);
      const frame = readSend(parseFrame(received[0]!.toString()));
      expect(frame).toMatchObject({ to: id, ref: 1e9 + number });
      expect(numberIn(received[0]!)).toBe(number);
    }),
    { numRuns: 30 },
  );
});

it('refs are read as numbers', () => {
  expect(numbersIn(Buffer.from('{"type":"sent","refs":[1000000000,1000000017]}'))).toEqual([0, 17]);
  expect(numbersIn(Buffer.from('{"type":"undelivered","refs":[1000000003],"reason":"x"}'))).toEqual([3]);
});

it('frames are read however the stream is cut', () => {
  const texts = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 300 }), { maxLength: 12 });
  fc.assert(
    fc.property(texts, fc.array(fc.nat(400), { maxLength: 30 }), (said, cuts) => {
      const bytes = Buffer.from(said.map(textFrame).join(''), 'latin1');
      const heard: string[] = [];
      const handler = {
        onText: (payload: Buffer) => void heard.push(payload.toString('latin1')),
        onPing() {},
      };
      const reader = new FrameReader();
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        reader.read(bytes.subarray(at, at + cut), handler);
        at += cut;
      }
      expect(heard).toEqual(said);
    }),
  );
});
