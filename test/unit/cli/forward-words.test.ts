// What people type for a forwarding, what its ends say first, and how long a lost pipe waits for the next.
import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../src/cli/forward.js';
import {
  decodeAnswer,
  decodeOpener,
  encodeAnswer,
  encodeOpener,
  isOpener,
} from '../../../src/cli/forward-opener.js';
import { forwardSpec, parseTarget } from '../../../src/cli/forward-target.js';

describe('HOST:PORT', () => {
  it.each([
    ['localhost:80', 'localhost:80'],
    ['LocalHost:80', 'localhost:80'],
    ['127.0.0.1:65535', '127.0.0.1:65535'],
    ['[::1]:22', '[::1]:22'],
    ['[0:0:0:0:0:0:0:1]:22', '[::1]:22'],
    ['a-b.example.org:1', 'a-b.example.org:1'],
  ])('%s is %s', (text, spelling) => expect(parseTarget(text)?.text).toBe(spelling));

  it.each([
    '',
    'localhost',
    'localhost:0',
    'localhost:65536',
    ':80',
    '::1:80',
    '[localhost]:80',
    'a b:80',
    'a/b:80',
  ])('%j is refused', text => expect(parseTarget(text)).toBeUndefined());

  it('takes a local port before it', () => {
    expect(forwardSpec('0:localhost:80')).toMatchObject({ localPort: 0, target: { text: 'localhost:80' } });
    expect(forwardSpec('8080:[::1]:80')).toMatchObject({
      localPort: 8080,
      target: { host: '::1', port: 80 },
    });
    for (const wrong of ['localhost:80', '65536:localhost:80', '-1:localhost:80', '80:', '8080:80']) {
      expect(() => forwardSpec(wrong), wrong).toThrow(/LOCALPORT:HOST:PORT/);
    }
  });
});

describe('the first words', () => {
  it('survive the way, and ordinary messages are not taken for them', () => {
    const opener = Buffer.from(encodeOpener('localhost:80'));
    expect(isOpener(opener)).toBe(true);
    expect(decodeOpener(opener)).toBe('localhost:80');
    const answer = { allowed: false, message: 'no' };
    expect(decodeAnswer(Buffer.from(encodeAnswer(answer)))).toEqual(answer);
    for (const text of ['', 'hello', '{"target":"localhost:80"}', 'wayleave-forward/2 {"target":"x:1"}']) {
      expect(isOpener(Buffer.from(text)), text).toBe(false);
    }
  });

  it('are refused with one error when they cannot be read', () => {
    const typed = expect.objectContaining({ code: 'protocol-error' });
    for (const text of [
      '',
      'hello',
      'wayleave-forward/1 ',
      'wayleave-forward/1 {',
      'wayleave-forward/1 {"a":1}',
    ]) {
      expect(() => decodeOpener(Buffer.from(text)), text).toThrow(typed);
      expect(() => decodeAnswer(Buffer.from(text)), text).toThrow(typed);
    }
    // a node that echoes everything is not one that agrees
    expect(() => decodeAnswer(Buffer.from(encodeOpener('localhost:80')))).toThrow(typed);
  });
});

it('retries come slower and slower, never all at once', () => {
  expect([0, 1, 2, 3, 100].map(failures => retryDelayMs(failures, 1))).toEqual([
    250, 500, 1000, 2000, 15_000,
  ]);
  expect(retryDelayMs(0, 0)).toBe(125);
});
