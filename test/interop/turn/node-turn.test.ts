// Our client against the `node-turn` package, a foreign TURN server over UDP: by Send and Data indications
// (it drops ChannelData from clients, and a Refresh destroys its allocation: docs/dependencies.md).
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTurn } from '../../../src/turn/client.js';
import type { TurnServer } from '../../../src/turn/turn-server.js';
import { freePort } from '../../free-port.js';

interface NodeTurn {
  start(): void;
  stop(): void;
}
type NodeTurnClass = new (options: Record<string, unknown>) => NodeTurn;

describe('our client and node-turn', () => {
  let server: NodeTurn;
  let at: TurnServer;
  beforeAll(async () => {
    const NodeTurnServer = createRequire(import.meta.url)('node-turn') as NodeTurnClass;
    const port = await freePort();
    server = new NodeTurnServer({
      listeningIps: ['127.0.0.1'],
      relayIps: ['127.0.0.1'],
      listeningPort: port,
      authMech: 'long-term',
      credentials: { alice: 'secret' },
      debugLevel: 'OFF',
      log: () => {},
    });
    server.start();
    at = { endpoint: { host: '127.0.0.1', port }, transport: 'udp', username: 'alice', credential: 'secret' };
  });
  afterAll(() => server.stop());

  it('logs in, allocates, permits, sends and hears', async () => {
    await using client = await openTurn(at);
    const peer = createSocket('udp4');
    peer.bind(0, '127.0.0.1');
    await once(peer, 'listening');
    const peerAt = { host: '127.0.0.1', port: peer.address().port };
    await client.permit([peerAt.host]);
    const coming = once(peer, 'message');
    client.send(peerAt, Buffer.from('ping'));
    const [data, from] = await coming;
    expect(String(data)).toBe('ping');
    expect({ host: from.address, port: from.port }).toEqual(client.relayed);
    const heard = new Promise<[unknown, string]>(resolve => {
      client.onData = (source, bytes) => resolve([source, String(bytes)]);
    });
    peer.send('pong', client.relayed.port, client.relayed.host);
    expect(await heard).toEqual([peerAt, 'pong']);
    peer.close();
  });

  it('is told that it relays no connections', async () => {
    await expect(openTurn({ ...at, transport: 'tcp' }, { relayed: 'tcp' })).rejects.toMatchObject({
      code: 'dial-failed',
    });
  });

  it('refuses a wrong password, and the client says so', async () => {
    await expect(openTurn({ ...at, credential: 'wrong' })).rejects.toMatchObject({
      number: expect.any(Number),
    });
  });
});
