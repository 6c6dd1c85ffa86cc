import { describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import {
  hostOf,
  isBroker,
  isOnThisMachine,
  parseOwnServer,
  parseServerUrl,
  published,
} from '../../../src/signalling/server-url.js';

describe('the URL of a signalling server', () => {
  it.each([
    ['ws://127.0.0.1:7443', 'ws://127.0.0.1:7443/'],
    ['WSS://Signal.Example.org', 'wss://signal.example.org/'],
    ['ws://[2001:db8::1]:80/path', 'ws://[2001:db8::1]/path'],
    ['mqtt://Broker.Example.org:1883/', 'mqtt://broker.example.org'],
    ['mqtt://broker.example.org:80', 'mqtt://broker.example.org:80'],
    ['MQTTS://[2001:DB8::1]:8883', 'mqtts://[2001:db8::1]'],
    ['mqtt://2130706433', 'mqtt://127.0.0.1'],
    ['ws://broker.example.org:9001/mqtt', 'ws://broker.example.org:9001/mqtt'],
  ])('%s has the one spelling %s', (text, spelling) => {
    expect(parseServerUrl(text)).toBe(spelling);
    expect(parseServerUrl(spelling)).toBe(spelling);
  });

  it.each([
    '',
    'localhost:7443',
    'http://example.org',
    'ws://',
    'ws://user@example.org',
    'ws://user:secret@example.org',
    'wss://user:secret@example.org/mqtt/x',
    'ws://example.org/#x',
    `ws://example.org/${'a'.repeat(600)}`,
    'mqtt://',
    'mqtt:///mqtt',
    'mqtt:user:secret@example.org',
    'mqtt://example.org/topic',
    'mqtt://example.org?clientId=x',
    'mqtt://exa mple.org',
    'mqtt://:secret@example.org',
    'mqtt://user:%secret%@example.org',
    'mqtt://user:secret#@example.org',
    `mqtt://user:${'secret'.repeat(20)}@exa mple.org`,
    `mqtt://user:${'secret'.repeat(400)}@example.org`,
  ])('case %# is refused, without its secrets', text => {
    for (const parse of [parseServerUrl, parseOwnServer]) {
      expect(() => parse(text)).toThrow(WayleaveError);
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'bad-option' }));
      expect(() => parse(text)).not.toThrow(/secret/);
    }
  });
});

describe('credentials', () => {
  it('are taken from the user’s own URL of a broker, and are not part of it', () => {
    const credentials = { username: 'me', password: 'p@ss:word' };
    const url = 'mqtts://broker.example.org';
    expect(parseOwnServer('mqtts://me:p%40ss%3Aword@broker.example.org')).toEqual({ url, credentials });
    expect(published('mqtts://me:p%40ss%3Aword@broker.example.org')).toBe(url);
    expect(published('wss://token@broker.example.org/mqtt')).toBe('wss://broker.example.org/mqtt');
    expect(published('ws://127.0.0.1:7443')).toBe('ws://127.0.0.1:7443'); // as it was written
    expect(parseOwnServer('mqtt://me@h').credentials).toEqual({ username: 'me', password: undefined });
    expect(parseOwnServer('mqtt://h').credentials).toBeUndefined();
    const token = 'x'.repeat(1500);
    expect(parseOwnServer(`mqtts://device:${token}@h`).credentials?.password).toBe(token);
  });

  it('are refused in a URL from anywhere else', () => {
    expect(() => parseServerUrl('mqtt://me:secret@broker.example.org')).toThrow(/must not hold credentials/);
    expect(() => parseServerUrl('mqtt://me:secret@broker.example.org')).not.toThrow(/secret/);
  });
});

it.each([
  ['mqtt://h', true],
  ['mqtts://h', true],
  ['ws://h/mqtt', true],
  ['wss://h/a/mqtt?x=1', true],
  ['ws://h/', false],
  ['ws://h/mqtt/', false],
  ['ws://mqtt', false],
  ['ws://h/my-mqtt', false],
])('%s is a broker: %s', (url, expected) => {
  expect(isBroker(url)).toBe(expected);
});

it.each([
  ['ws://127.0.0.1:7443', true],
  ['ws://localhost:7443', true],
  ['wss://[::1]', true],
  ['ws://192.168.1.2:7443', false],
  ['wss://localhost.example', false],
  ['mqtts://broker.example', false],
  ['mqtt://127.0.0.1', true],
  ['mqtt://LOCALHOST', true],
  ['mqtt://me:secret@127.1', true],
])('%s is on this machine: %s', (url, expected) => {
  expect(isOnThisMachine(url)).toBe(expected);
});

it.each([
  ['mqtt://0x7f000001:1', '127.0.0.1'],
  ['mqtt://[::FFFF:127.0.0.1]', '::ffff:7f00:1'],
  ['mqtt://Broker.Example', 'broker.example'],
  ['ws://[2001:db8::1]/', '2001:db8::1'],
])('the host of %s is %s', (url, host) => {
  expect(hostOf(url)).toBe(host);
});
