import { describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { isOnThisMachine, parseServerUrl } from '../../../src/signalling/server-url.js';

describe('the URL of a signalling server', () => {
  it.each([
    ['ws://127.0.0.1:7443', 'ws://127.0.0.1:7443/'],
    ['WSS://Signal.Example.org', 'wss://signal.example.org/'],
    ['ws://[2001:db8::1]:80/path', 'ws://[2001:db8::1]/path'],
  ])('%s has the one spelling %s', (text, spelling) => {
    expect(parseServerUrl(text)).toBe(spelling);
  });

  it.each([
    '',
    'localhost:7443',
    'http://example.org',
    'mqtt://example.org',
    'ws://',
    'ws://user@example.org',
    'ws://user:secret@example.org',
    'ws://example.org/#x',
    `ws://example.org/${'a'.repeat(600)}`,
  ])('%j is refused', text => {
    expect(() => parseServerUrl(text)).toThrow(WayleaveError);
    expect(() => parseServerUrl(text)).toThrow(expect.objectContaining({ code: 'bad-option' }));
    expect(() => parseServerUrl(text)).not.toThrow(/secret/);
  });
});

it.each([
  ['ws://127.0.0.1:7443', true],
  ['ws://localhost:7443', true],
  ['wss://[::1]', true],
  ['ws://192.168.1.2:7443', false],
  ['wss://localhost.example', false],
  ['mqtts://broker.example', false],
  ['mqtt://127.0.0.1', true],
])('%s is on this machine: %s', (url, expected) => {
  expect(isOnThisMachine(url)).toBe(expected);
});
