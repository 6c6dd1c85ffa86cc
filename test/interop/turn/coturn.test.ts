// Our client against Debian's coturn, with ephemeral credentials (`use-auth-secret`): a foreign server.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createNode } from '../../../src/index.js';
import { openTurn } from '../../../src/turn/client.js';
import { openRelay } from '../../../src/turn/relay-stream.js';
import type { ServerTransport, TurnServer } from '../../../src/turn/turn-server.js';
import { streamBetween } from '../../relayed-pair.js';
import { requirement } from '../../requirements.js';
import { TLS_CERTIFICATE } from './certificate.js';
import { type Coturn, restCredentials, SECRET, startCoturn } from './coturn.js';

/** More by hand: coturn relays TCP slowly (`npm run bench -- relay` says how slowly). */
const BULK_BYTES = Number(process.env.WAYLEAVE_BULK_BYTES ?? 2_000_000);
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

  it.each(['tcp', 'tls'] as const)(
    'a relayed stream over %s (RFC 6062), by hash',
    async transport => {
      const initiator = await openRelay([server(transport, 'initiator')]);
      const responder = await openRelay([server(transport, 'responder')]);
      const [left, right] = await streamBetween(initiator, responder);
      const [sent, received] = [createHash('sha256'), createHash('sha256')];
      let missing = BULK_BYTES;
      const whole = new Promise<void>(resolve => {
        right!.on('data', chunk => {
          received.update(chunk);
          missing -= chunk.length;
          if (missing === 0) resolve();
        });
      });
      for (let rest = BULK_BYTES; rest > 0; ) {
        const chunk = randomBytes(Math.min(rest, 1 << 20));
        rest -= chunk.length;
        sent.update(chunk);
        if (!left!.write(chunk)) await once(left!, 'drain');
      }
      await whole;
      expect(received.digest('hex')).toBe(sent.digest('hex'));
      right!.write('thanks');
      expect(String((await once(left!, 'data'))[0])).toBe('thanks');
      left!.destroy();
      right!.destroy();
    },
    600_000,
  );

  it('refuses wrong credentials with words, not with silence', async () => {
    const wrong = { ...server('tcp', 'left'), credential: 'guess' };
    await expect(openTurn(wrong)).rejects.toMatchObject({ number: 401, remedyKind: 'credentials' });
  });

  it('the configuration in docs/self-hosting.md: our credentials are accepted, private peers are not', async () => {
    const guide = readFileSync(new URL('../../../docs/self-hosting.md', import.meta.url), 'utf8');
    const [, text] = /^```\n(listening-port[^`]*)^```$/m.exec(guide)!;
    // Ports, certificate and secret are the machine's own; all else is taken as it stands there.
    const own = /^(listening-port|tls-listening-port|cert|pkey|static-auth-secret|realm|no-cli)\b/;
    const lines = text!.split('\n').filter(line => line !== '' && !line.startsWith('#') && !own.test(line));
    await using hardened = await startCoturn(lines.map(line => `--${line}`));
    const endpoint = { host: '127.0.0.1', port: hardened.port };
    await using client = await openTurn({ endpoint, transport: 'tcp', ...restCredentials('alice') });
    const refused = [
      '10.1.2.3',
      '127.0.0.1',
      '169.254.169.254',
      '192.168.1.1',
      '100.64.1.1',
      '172.20.0.1',
      '168.63.129.16',
    ];
    for (const host of refused) await expect(client.permit([host])).rejects.toMatchObject({ number: 403 });
    for (const host of ['8.8.8.8', '203.0.113.9', '198.51.100.3']) await client.permit([host]);
  });

  it('in the place of the embedded relay: nodes meet there, by the shared secret alone', async () => {
    await using server = await createServer({
      host: '127.0.0.1',
      port: 0,
      relay: false,
      turnUrls: [`turn:127.0.0.1:${coturn.port}?transport=tcp`],
      turnSecret: SECRET,
    });
    const options = { servers: [server.listening.signalling], listen: false, portMapping: false as const };
    await using alice = await createNode(options);
    await using bob = await createNode(options);
    await Promise.all([alice.ready(), bob.ready()]);
    bob.onMessage((message, _client, pipe) => pipe.send(message));
    await using pipe = await alice.connect(bob.address);
    expect(pipe.route.strategy).toBe('relay');
    const message = randomBytes(300_000);
    await pipe.send(message);
    expect((await pipe.recv({ timeoutMs: 10_000 })).equals(message)).toBe(true);
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
    const streams = await streamBetween(initiator, responder);
    const closed = streams.map(
      stream => new Promise<void>(resolve => stream.on('error', () => {}).once('close', () => resolve())),
    );
    other.child.kill('SIGKILL');
    await Promise.all(closed);
    expect(await initiator.lost).toMatchObject({ code: expect.stringMatching(/connection-lost|closed/) });
  });
});
