// The TCP side of the STUN responder: connections that are held, connections that are cut, and dialling back.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_STUN_LIMITS } from '../../../signalling-server/stun/limits.js';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { Scope } from '../../../src/net/scope.js';
import { listenTcp, remoteEndpoint } from '../../../src/net/sockets.js';
import type { Attribute } from '../../../src/stun/attributes.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { StreamStunClient } from '../../../src/stun/stream-client.js';

const HERE = '127.0.0.1';
const THERE = '127.0.0.2';
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const responder = async (options: Partial<Parameters<typeof createStunResponder>[0]> = {}) =>
  scope.use(await createStunResponder({ host: HERE, port: 0, alternateHost: THERE, ...options }));

describe('a TCP connection', () => {
  const raw = async (port: number) => {
    const socket = connect({ host: HERE, port });
    socket.on('error', () => {});
    scope.defer(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  // Not `once` of node:events, which takes a reset on the way for a failure.
  const closed = (socket: Socket) =>
    new Promise<void>(resolve => socket.resume().once('close', () => resolve()));

  it('is kept open after its first request, and serves more', async () => {
    const { endpoints } = await responder({ limits: { firstRequestMs: 50 } });
    const client = scope.use(await StreamStunClient.open({ server: endpoints[0]!, localAddress: HERE }));
    await client.request({});
    await new Promise(resolve => setTimeout(resolve, 150));
    await client.request({});
    expect(client.closed.aborted).toBe(false);
  });

  it('that says nothing, trickles, idles or talks something else is closed', async () => {
    const { endpoints } = await responder({ limits: { firstRequestMs: 80, idleMs: 80 } });
    const port = endpoints[0]!.port;
    const request = encodeMessage({ class: 'request', method: 'Binding', transactionId: newTransactionId() });
    const silent = await raw(port);
    const trickling = await raw(port);
    const timer = setInterval(() => trickling.write(Buffer.from([0])), 20);
    scope.defer(() => clearInterval(timer));
    const idle = await raw(port);
    idle.write(request);
    const other = await raw(port);
    other.write('GET / HTTP/1.1\r\n\r\n');
    const huge = await raw(port);
    huge.write(Buffer.from([0, 1, 0xff, 0xfc]));
    await Promise.all([silent, trickling, idle, other, huge].map(closed));
  });

  it('over the limit of its source is closed at once', async () => {
    const { endpoints, counters } = await responder({ limits: { connectionsPerSource: 2 } });
    const kept = [await raw(endpoints[0]!.port), await raw(endpoints[0]!.port)];
    await closed(await raw(endpoints[0]!.port));
    expect(counters.refused).toBe(1);
    kept[0]!.destroy();
    await expect
      .poll(async () => {
        const socket = await raw(endpoints[0]!.port);
        const outcome = await Promise.race([
          closed(socket).then(() => 'closed'),
          new Promise(resolve => setTimeout(resolve, 60, 'open')),
        ]);
        return outcome;
      })
      .toBe('open');
  });

  it('whose answers are not read is cut off', async () => {
    const { endpoints } = await responder();
    const socket = await raw(endpoints[0]!.port);
    const request = encodeMessage({
      class: 'request',
      method: 'Binding',
      transactionId: newTransactionId(),
      attributes: [['PADDING', Buffer.alloc(2_048)]],
    });
    socket.pause();
    const ended = new Promise(resolve => socket.once('close', resolve));
    const flood = setInterval(() => {
      for (let i = 0; i < 50 && !socket.destroyed; i++) socket.write(request);
    }, 5);
    scope.defer(() => clearInterval(flood));
    await ended;
  });
});

describe('dialling back', () => {
  const CHANGE = { address: true, port: true };
  const dialBack = async (client: StreamStunClient, change = CHANGE) =>
    (await client.request({ attributes: [['CHANGE-REQUEST', change]] })).message.get('DIAL-BACK');

  it('reaches a client that listens, from the address it asked for', async () => {
    const { endpoints } = await responder();
    const client = scope.use(await StreamStunClient.open({ server: endpoints[0]!, localAddress: HERE }));
    const callers: string[] = [];
    scope.use(
      await listenTcp({ host: HERE, port: client.local.port }, socket => {
        callers.push(remoteEndpoint(socket)?.host ?? '');
        socket.on('error', () => {}).destroy();
      }),
    );
    expect(await dialBack(client)).toEqual({ outcome: 'connected', tries: 1 });
    expect(await dialBack(client, { address: false, port: true })).toEqual({
      outcome: 'connected',
      tries: 1,
    });
    expect(callers).toEqual([THERE, HERE]);
  });

  it('tells that it was refused', async () => {
    const { endpoints } = await responder();
    const client = scope.use(await StreamStunClient.open({ server: endpoints[0]!, localAddress: HERE }));
    expect(await dialBack(client)).toMatchObject({ outcome: 'refused' });
  });

  it('goes to the endpoint that the connection comes from and to no other, whatever the request says', async () => {
    const { endpoints } = await responder();
    const dialled: unknown[] = [];
    const victim = createServer(socket => dialled.push(socket.destroy()));
    victim.listen(0, HERE);
    await once(victim, 'listening');
    scope.defer(() => victim.close());
    const port = (victim.address() as { port: number }).port;
    const client = scope.use(await StreamStunClient.open({ server: endpoints[0]!, localAddress: HERE }));
    const aim: Attribute[] = [
      ['CHANGE-REQUEST', CHANGE],
      ['ALTERNATE-SERVER', { host: HERE, port }],
      ['OTHER-ADDRESS', { host: HERE, port }],
      ['RESPONSE-ORIGIN', { host: HERE, port }],
    ];
    expect((await client.request({ attributes: aim })).message.get('DIAL-BACK')?.outcome).toBe('refused');
    const mapped: Attribute[] = [
      ['CHANGE-REQUEST', CHANGE],
      ['XOR-MAPPED-ADDRESS', { host: HERE, port }],
    ];
    expect((await client.request({ attributes: mapped })).message.get('ERROR-CODE')?.code).toBe(420);
    const named: Attribute[] = [
      ['CHANGE-REQUEST', CHANGE],
      ['RESPONSE-PORT', port],
    ];
    expect((await client.request({ attributes: named })).message.get('DIAL-BACK')?.outcome).toBe('not-tried');
    expect(dialled).toEqual([]);
  });

  it('is capped for each source', async () => {
    const limits = { dialBack: { burst: 2, perSecond: 0.001 } };
    const { endpoints, counters } = await responder({ limits });
    const client = scope.use(await StreamStunClient.open({ server: endpoints[0]!, localAddress: HERE }));
    const outcomes = [];
    for (let i = 0; i < 4; i++) outcomes.push((await dialBack(client))?.outcome);
    expect(outcomes).toEqual(['refused', 'refused', 'not-tried', 'not-tried']);
    expect(counters.dialBacks).toBe(2);
    expect(DEFAULT_STUN_LIMITS.dialBack.burst).toBeLessThanOrEqual(60);
  });
});
