// Our client against Debian's coturn, with ephemeral credentials (`use-auth-secret`): a foreign server.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTurn } from '../../../src/turn/client.js';
import { openRelay } from '../../../src/turn/relay-stream.js';
import type { ServerTransport, TurnServer } from '../../../src/turn/turn-server.js';
import { requirement } from '../../requirements.js';
import { TLS_CERTIFICATE } from './certificate.js';
import { type Coturn, restCredentials, startCoturn } from './coturn.js';

const describeCoturn = await requirement('coturn');

describeCoturn('our client and coturn', () => {
  let coturn: Coturn;
  beforeAll(async () => {
    coturn = await startCoturn();
  });
  afterAll(async () => {
    await coturn[Symbol.asyncDispose]();
  });

  const server = (transport: ServerTransport, user: string): TurnServer => ({
    endpoint: { host: '127.0.0.1', port: transport === 'tls' ? coturn.tlsPort : coturn.port },
    transport,
    ...restCredentials(user),
    tls: { ca: TLS_CERTIFICATE },
  });

  it.each(['udp', 'tcp', 'tls'] as const)(
    'datagrams over %s: by Send and Data, then by channel',
    async transport => {
      await using left = await openTurn(server(transport, 'left'));
      await using right = await openTurn(server(transport, 'right'));
      await left.permit([right.relayed.host]);
      await right.permit([left.relayed.host]);
      for (const way of ['indication', 'channel']) {
        if (way === 'channel') await left.bindChannel(right.relayed);
        const heard = new Promise<[string, Buffer]>(resolve => {
          right.onData = (from, data) => resolve([from.host, Buffer.from(data)]);
        });
        const data = randomBytes(way === 'channel' ? 1_111 : 7);
        left.send(right.relayed, data);
        expect(await heard).toEqual([left.relayed.host, data]);
      }
    },
  );

  it.each(['tcp', 'tls'] as const)('a relayed stream over %s (RFC 6062), by hash', async transport => {
    const initiator = await openRelay([server(transport, 'initiator')]);
    const responder = await openRelay([server(transport, 'responder')]);
    await responder.admit(initiator.relayed);
    const accepted = responder.accept(initiator.relayed);
    const [left, right]: Duplex[] = await Promise.all([initiator.connect(responder.relayed), accepted]);
    const data = randomBytes(2_000_000);
    const hash = createHash('sha256');
    let received = 0;
    const whole = new Promise<void>(resolve => {
      right!.on('data', chunk => {
        hash.update(chunk);
        received += chunk.length;
        if (received === data.length) resolve();
      });
    });
    left!.write(data);
    await whole;
    expect(hash.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
    right!.write('thanks');
    expect(String((await once(left!, 'data'))[0])).toBe('thanks');
    left!.destroy();
    right!.destroy();
  });

  it('refuses wrong credentials with words, not with silence', async () => {
    const wrong = { ...server('tcp', 'left'), credential: 'guess' };
    await expect(openTurn(wrong)).rejects.toMatchObject({ number: 401, remedyKind: 'credentials' });
  });

  it('killed while a stream runs through it: both ends notice at once', async () => {
    await using other = await startCoturn();
    const at = (user: string): TurnServer => ({
      endpoint: { host: '127.0.0.1', port: other.port },
      transport: 'tcp',
      ...restCredentials(user),
    });
    const initiator = await openRelay([at('initiator')]);
    const responder = await openRelay([at('responder')]);
    await responder.admit(initiator.relayed);
    const accepted = responder.accept(initiator.relayed);
    const streams: Duplex[] = await Promise.all([initiator.connect(responder.relayed), accepted]);
    const closed = streams.map(
      stream => new Promise<void>(resolve => stream.on('error', () => {}).once('close', () => resolve())),
    );
    other.child.kill('SIGKILL');
    await Promise.all(closed);
    expect(await initiator.lost).toMatchObject({ code: expect.stringMatching(/connection-lost|closed/) });
  });
});
