// What a NATS URL says: where, how secured, and with which login; and what is no such URL.
import { describe, expect, it } from 'vitest';
import { parseNatsUrl } from '../../signalling-server/backplane/nats-url.js';

describe('a NATS URL', () => {
  it.each([
    ['nats://nats', { at: 'nats:4222', host: 'nats', tls: false, login: undefined }],
    ['nats://nats.example.org:5222', { at: 'nats.example.org:5222', host: 'nats.example.org', tls: false }],
    ['tls://192.0.2.1/', { at: '192.0.2.1:4222', host: '192.0.2.1', tls: true }],
    ['tls://[2001:db8::1]:1', { at: '[2001:db8::1]:1', host: '2001:db8::1', tls: true }],
    ['nats://user:secret@nats', { at: 'nats:4222', login: { user: 'user', pass: 'secret' } }],
    ['nats://u%40x:1%3A2%2F3@nats', { at: 'nats:4222', login: { user: 'u@x', pass: '1:2/3' } }],
    ['nats://to%2Cken@nats:1', { at: 'nats:1', login: { token: 'to,ken' } }],
  ])('%s', (url, parts) => expect(parseNatsUrl(url)).toMatchObject(parts));

  it.each([
    '',
    'nats',
    'nats:4222',
    'nats://',
    'nats://user:secret@',
    'nats://nats:99999',
    'nats://nats/path',
    'nats://nats?a=b',
    'nats://nats#a',
    'nats://nats,other',
    'nats://na ts',
    'nats://user:per%cent@nats',
    'nats://user:a@b@nats',
    'http://nats',
    'ws://nats',
  ])('not: %s', url => expect(parseNatsUrl(url)).toBeUndefined());
});
