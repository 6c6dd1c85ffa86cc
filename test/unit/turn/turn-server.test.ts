// TURN URLs (RFC 7065).
import { describe, expect, it } from 'vitest';
import { formatTurnUrl, parseTurnUrl, resolveTurnServer } from '../../../src/turn/turn-server.js';

describe('TURN URLs', () => {
  it.each([
    ['turn:192.0.2.1', { host: '192.0.2.1', port: 3478, transport: 'udp' }],
    ['turn:relay.example:80?transport=tcp', { host: 'relay.example', port: 80, transport: 'tcp' }],
    ['turns:relay.example:443?transport=tcp', { host: 'relay.example', port: 443, transport: 'tls' }],
    ['turns:relay.example', { host: 'relay.example', port: 5349, transport: 'tls' }],
    ['turn:[2001:DB8::1]:3478?transport=udp', { host: '2001:db8::1', port: 3478, transport: 'udp' }],
  ] as const)('%s', (url, parsed) => {
    expect(parseTurnUrl(url)).toEqual(parsed);
    expect(parseTurnUrl(formatTurnUrl(parsed))).toEqual(parsed);
  });

  it.each([
    '',
    'turn:',
    'stun:192.0.2.1',
    'http://192.0.2.1',
    'turn://192.0.2.1',
    'turn:192.0.2.1:0',
    'turn:192.0.2.1:65536',
    'turn:192.0.2.1?transport=sctp',
    'turns:192.0.2.1?transport=udp',
    'turn:user@192.0.2.1',
    'turn:192.0.2.1 ',
    `turn:${'a'.repeat(300)}`,
  ])('refuses %j', url => {
    expect(() => parseTurnUrl(url)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  it('an IP literal becomes the one server that it names, certificate name included', async () => {
    expect(await resolveTurnServer('turns:[::1]:443', { username: 'u', credential: 'c' })).toEqual([
      {
        endpoint: { host: '::1', port: 443 },
        transport: 'tls',
        username: 'u',
        credential: 'c',
        tls: { servername: '::1' },
      },
    ]);
  });
});
