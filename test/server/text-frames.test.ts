// What the server writes is what RFC 6455 says: read back by a WebSocket implementation that is not ours.
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as ws from 'ws';
import { asciiJson, textFrame } from '../../signalling-server/text-frames.js';

/** Exported by ws, not by its types. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

/** What the frames in these bytes say. */
function read(bytes: Buffer): string[] {
  const texts: string[] = [];
  const receiver = new Receiver({ isServer: false, maxPayload: 0 });
  receiver.on('message', data => texts.push(data.toString()));
  receiver.on('error', error => texts.push(String(error)));
  receiver.write(bytes);
  return texts;
}

it.each([0, 1, 125, 126, 127, 255, 256, 0x7fff, 0xffff, 0x1_0000, 70_000])('%d characters', length => {
  const text = 'x'.repeat(length);
  expect(read(Buffer.from(textFrame(text), 'latin1'))).toEqual([text]);
});

it('frames joined are frames', () => {
  const texts = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 400 }), { maxLength: 20 });
  fc.assert(
    fc.property(texts, some => {
      expect(read(Buffer.from(some.map(textFrame).join(''), 'latin1'))).toEqual(some);
    }),
  );
});

it('any JSON survives in ASCII', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const text = asciiJson(value);
      expect(text).not.toMatch(/[\u0080-\uffff]/);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(asciiJson('grüße 🦊')).toBe('"gr\\u00fc\\u00dfe \\ud83e\\udd8a"');
});
