// Who gets through the handshake and who does not, against plain node:tls and raw sockets as well; each failure
// is one typed error and leaves no socket and no timer behind.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { createSecureContext, type SecureContextOptions, TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { ALPN, secure, tlsCredentials } from '../../../src/pipe/handshake.js';
import { leavesNothing } from './handles.js';
import { alice, bob, memoryPair, tcpPair } from './pairs.js';

/** A key that is not Ed25519: P-256, with its self-signed certificate. */
const ECDSA = JSON.parse(
  readFileSync(new URL('../../vectors/ecdsa-certificate.json', import.meta.url), 'utf8'),
);

/** A client of somebody else's making against our server: what our server says to it. */
async function foreignClient(options: SecureContextOptions & { ALPNProtocols?: string[] }): Promise<unknown> {
  const [near, far] = await tcpPair();
  const client = tlsConnect({ socket: near, rejectUnauthorized: false, ...options });
  client.on('error', () => {});
  try {
    const secured = await secure(far, bob, { role: 'server', timeoutMs: 3000 });
    secured.socket.destroy();
    return secured.peer;
  } catch (error) {
    expect(far.destroyed).toBe(true);
    return (error as { code: string }).code;
  } finally {
    client.destroy();
    near.destroy();
  }
}

describe.each([
  ['TCP', tcpPair],
  ['streams in memory', async () => memoryPair()],
])('over %s', (_name, pair) => {
  test('both sides learn who the other is', () =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      const [client, server] = await Promise.all([
        secure(near, alice, { role: 'client', expected: bob.id }),
        secure(far, bob, { role: 'server' }),
      ]);
      expect([client.peer, server.peer]).toEqual([bob.id, alice.id]);
      expect([client.socket.getProtocol(), client.socket.alpnProtocol]).toEqual(['TLSv1.3', ALPN]);
      client.socket.write('hello');
      expect((await once(server.socket, 'data')).toString()).toBe('hello');
      client.socket.destroy();
      server.socket.destroy();
    }));

  test('another identity than expected is refused, by either side', () =>
    leavesNothing(async () => {
      const mallory = createIdentity();
      for (const role of ['client', 'server'] as const) {
        const [near, far] = await pair();
        const other = secure(far, mallory, { role: role === 'client' ? 'server' : 'client' });
        await expect(secure(near, alice, { role, expected: bob.id })).rejects.toMatchObject({
          code: 'wrong-identity',
        });
        expect(near.destroyed).toBe(true);
        await other.then(
          ({ socket }) => socket.destroy(),
          () => {},
        );
      }
    }));

  test.each(['client', 'server'] as const)('garbage: the %s says handshake-failed', role =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      far.on('error', () => {});
      const outcome = secure(near, alice, { role });
      far.write('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(10));
      await expect(outcome).rejects.toMatchObject({ code: 'handshake-failed' });
      expect(near.destroyed).toBe(true);
      far.destroy();
    }),
  );

  test.each(['client', 'server'] as const)('silence: the %s gives up after its time', role =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      far.on('error', () => {});
      await expect(secure(near, alice, { role, timeoutMs: 30 })).rejects.toMatchObject({
        code: 'handshake-timeout',
      });
      expect(near.destroyed).toBe(true);
      far.destroy();
    }),
  );

  test.each(['client', 'server'] as const)('an end instead of a word: the %s notices at once', role =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      far.on('error', () => {});
      far.end();
      await expect(secure(near, alice, { role })).rejects.toMatchObject({ code: 'handshake-failed' });
      far.destroy();
    }),
  );

  test('abort, before and during', () =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      far.on('error', () => {});
      const controller = new AbortController();
      const outcome = secure(near, alice, { role: 'client', signal: controller.signal });
      controller.abort();
      await expect(outcome).rejects.toMatchObject({ code: 'aborted' });
      await expect(secure(far, bob, { role: 'server', signal: controller.signal })).rejects.toMatchObject({
        code: 'aborted',
      });
      expect([near.destroyed, far.destroyed]).toEqual([true, true]);
    }));

  test('an abort after the handshake does not reach the connection', () =>
    leavesNothing(async () => {
      const [near, far] = await pair();
      const controller = new AbortController();
      const [client, server] = await Promise.all([
        secure(near, alice, { role: 'client', signal: controller.signal }),
        secure(far, bob, { role: 'server', signal: controller.signal }),
      ]);
      controller.abort();
      client.socket.write('still here');
      expect((await once(server.socket, 'data')).toString()).toBe('still here');
      client.socket.destroy();
      server.socket.destroy();
    }));
});

test('a connection that is gone already', async () => {
  const gone = new PassThrough();
  gone.destroy();
  await expect(secure(gone, alice, { role: 'client' })).rejects.toMatchObject({ code: 'handshake-failed' });
});

describe('a server refuses a TLS client', () => {
  const ALPNProtocols = [ALPN];

  test('of which it would admit the honest twin', async () => {
    expect(await foreignClient({ ...tlsCredentials(alice), ALPNProtocols })).toBe(alice.id);
  });

  test('that shows no certificate', async () => {
    expect(await foreignClient({ ALPNProtocols })).toBe('handshake-failed');
  });

  test('that names no protocol, or another', async () => {
    expect(await foreignClient({ ...tlsCredentials(alice) })).toBe('handshake-failed');
    expect(await foreignClient({ ...tlsCredentials(alice), ALPNProtocols: ['h2'] })).toBe('handshake-failed');
  });

  test('that speaks TLS 1.2', async () => {
    const old = {
      ...tlsCredentials(alice),
      ALPNProtocols,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    } as const;
    expect(await foreignClient({ ...old, sigalgs: 'ed25519:ECDSA+SHA256' })).toBe('handshake-failed');
  });

  test('whose key is of another kind', async () => {
    const { cert, key } = ECDSA;
    expect(await foreignClient({ cert, key, ALPNProtocols })).toBe('handshake-failed');
  });
});

test('a client refuses a server whose key is of another kind', async () => {
  const [near, far] = await tcpPair();
  const server = new TLSSocket(far, {
    isServer: true,
    secureContext: createSecureContext({ cert: ECDSA.cert, key: ECDSA.key }),
    ALPNProtocols: [ALPN],
  });
  server.on('error', () => {});
  await expect(secure(near, alice, { role: 'client' })).rejects.toMatchObject({ code: 'handshake-failed' });
  server.destroy();
});

test('the first bytes on the wire hold nothing that the peer chose: no server name, the same length for all', async () => {
  const hellos: Buffer[] = [];
  for (const expected of [bob.id, alice.id, createIdentity().id, undefined]) {
    const [near, far] = await tcpPair();
    const outcome = secure(near, alice, { role: 'client', expected, timeoutMs: 200 });
    hellos.push((await once(far, 'data'))[0] as Buffer);
    far.destroy();
    await outcome.catch(() => {});
  }
  for (const hello of hellos) {
    expect(hello.length).toBe(hellos[0]!.length);
    expect(clientHelloExtensions(hello)).not.toContain(0); // server_name, RFC 6066
  }
  // after record and handshake header and version (11 bytes) only the 32-byte random, the 32-byte session id and
  // the 32-byte key share differ from one dial to the next: nothing of the peer is left
  const differing = [...hellos[0]!.keys()].filter(i => hellos.some(hello => hello[i] !== hellos[0]![i]));
  expect(differing.length).toBeLessThanOrEqual(96);
});

/** The extension types in a TLS record that holds a ClientHello (RFC 8446, 4.1.2). */
function clientHelloExtensions(record: Buffer): number[] {
  let at = 5 + 4 + 2 + 32;
  at += 1 + record[at]!; // session id
  at += 2 + record.readUInt16BE(at); // cipher suites
  at += 1 + record[at]!; // compression
  const end = at + 2 + record.readUInt16BE(at);
  const types: number[] = [];
  for (at += 2; at < end; at += 4 + record.readUInt16BE(at + 2)) types.push(record.readUInt16BE(at));
  return types;
}
