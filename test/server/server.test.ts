// The server as its administrator sees it: health, metrics, TLS, closing; and the routing of ordinary messages.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedBackplane } from '../../signalling-server/backplane/backplane.js';
import { createServer, type Server, type ServerOptions } from '../../signalling-server/index.js';
import { createLog } from '../../signalling-server/log.js';
import { resolveServerOptions } from '../../signalling-server/options.js';
import { SignallingServer } from '../../signalling-server/server.js';
import { createIdentity } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { MAX_BOX_BYTES } from '../../src/signalling/frames.js';
import { MESSAGE, metric, RawClient, rawSocket } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(options: ServerOptions = {}): Promise<Server> {
  return scope.use(await createServer({ host: '127.0.0.1', port: 0, ...options }));
}

const get = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
};

describe('routing', () => {
  it('a message arrives unchanged, with who sent it and from where', async () => {
    const { listening } = await start();
    const [a, b] = await Promise.all([0, 1].map(() => new RawClient(scope, listening.signalling).register()));
    a!.post(b!.id, 5);
    expect(await b!.heard('deliver')).toEqual({
      type: 'deliver',
      from: a!.id,
      seenFrom: '127.0.0.1',
      box: MESSAGE,
    });
    await a!.heard('sent');
    expect(a!.sent).toEqual([5]);
  });

  it('messages between two clients keep their order', async () => {
    const { listening } = await start();
    const [a, b] = await Promise.all([0, 1].map(() => new RawClient(scope, listening.signalling).register()));
    const boxes = Array.from({ length: 40 }, (_, i) => Buffer.from(`message ${i}`).toString('base64'));
    for (const [ref, box] of boxes.entries()) a!.post(b!.id, ref, box);
    while (b!.deliveries.length < 40) await systemClock.sleep(5);
    expect(b!.deliveries.map(({ box }) => box)).toEqual(boxes);
  });

  it('the largest box passes, a larger one ends the connection', async () => {
    const { listening } = await start();
    const client = await new RawClient(scope, listening.signalling).register();
    client.post(client.id, 1, Buffer.alloc(MAX_BOX_BYTES).toString('base64'));
    expect((await client.heard('deliver')).box).toHaveLength(Math.ceil(MAX_BOX_BYTES / 3) * 4);
    client.post(client.id, 2, Buffer.alloc(MAX_BOX_BYTES + 3).toString('base64'));
    expect(await client.closed).toBe(4002);
  });

  it('an unknown id, and any word that JavaScript knows, is not here', async () => {
    const { listening } = await start();
    const client = await new RawClient(scope, listening.signalling).register();
    client.post(createIdentity().id, 1);
    await client.heard('undelivered');
    expect(client.undelivered('not-here')).toEqual([1]);
    client.say({ type: 'send', ref: 2, to: '__proto__', box: MESSAGE });
    expect(await client.closed).toBe(4002);
  });

  it('frame types of a later version are ignored', async () => {
    const { listening } = await start();
    const client = await new RawClient(scope, listening.signalling).register();
    client.say({ type: 'subscribe', topic: 'weather' });
    client.post(client.id, 1);
    await client.heard('deliver');
  });
});

describe('health and metrics', () => {
  it('/healthz, /readyz, /metrics, and a word for whoever comes with a browser', async () => {
    const { listening } = await start();
    expect(await get(listening.health)).toEqual([200, 'ok\n']);
    expect(await get(listening.health.replace('healthz', 'readyz'))).toEqual([200, 'ready\n']);
    expect((await get(listening.health.replace('healthz', '')))[0]).toBe(426);
    expect((await get(listening.health.replace('healthz', 'elsewhere')))[0]).toBe(404);
    expect((await get(listening.health, { method: 'DELETE' }))[0]).toBe(405);
  });

  it('the metrics count what happens', async () => {
    const { listening } = await start();
    const client = await new RawClient(scope, listening.signalling).register();
    client.post(client.id, 1);
    client.post(createIdentity().id, 2);
    await client.heard('undelivered');
    const read = (name: string) => metric(listening.metrics, name);
    expect(await read('wayleave_clients')).toBe(1);
    expect(await read('wayleave_registrations_total')).toBe(1);
    expect(await read('wayleave_messages_delivered_total')).toBe(1);
    expect(await read('wayleave_messages_undelivered_total{reason="not-here"}')).toBe(1);
    expect(await read('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  it('the metrics are for everyone only when that is said, and for nobody likewise', async () => {
    expect((await get((await start({ metricsFrom: 'nobody' })).listening.metrics))[0]).toBe(403);
    expect((await get((await start({ metricsFrom: 'everyone' })).listening.metrics))[0]).toBe(200);
  });

  it('not ready while the backplane is not', async () => {
    const backplane = Object.assign(new EmbeddedBackplane(), { ready: false });
    const options = resolveServerOptions({ host: '127.0.0.1', port: 0 });
    const parts = { backplane, sources: [], log: await createLog('silent') };
    const { listening } = scope.use(await new SignallingServer(options, parts).start());
    expect(await get(listening.health.replace('healthz', 'readyz'))).toEqual([503, 'not ready\n']);
    expect(await get(listening.health)).toEqual([200, 'ok\n']);
  });
});

describe('the greeting', () => {
  it('names the configured STUN and TURN servers', async () => {
    const turn = { urls: ['turn:192.0.2.1:3478?transport=udp'], username: 'u', credential: 'c' };
    const { listening } = await start({ stunPort: null, stun: ['stun:192.0.2.1:3478'], turn: [turn] });
    expect([listening.stun, listening.turn]).toEqual([['stun:192.0.2.1:3478'], turn.urls]);
    const client = await new RawClient(scope, listening.signalling).register();
    expect(await client.heard('welcome')).toMatchObject({ stun: listening.stun, turn: [turn] });
  });

  it('comes again before its credentials expire, with fresh ones', async () => {
    let issued = 0;
    const source = {
      stun: [],
      turn: [],
      endpointsFor: (id: string, host: string) => {
        const expiresAt = Date.now() + 2_000;
        return {
          stun: [`stun:${host}:1`],
          turn: [{ urls: ['turn:x'], username: `${id}-${++issued}`, credential: 'c', expiresAt }],
        };
      },
      async [Symbol.asyncDispose]() {},
    };
    const options = resolveServerOptions({ host: '127.0.0.1', port: 0 });
    const parts = { backplane: new EmbeddedBackplane(), sources: [source], log: await createLog('silent') };
    const { listening } = scope.use(await new SignallingServer(options, parts).start());
    const client = await new RawClient(scope, listening.signalling).register();
    const welcomes = () => client.frames.filter(frame => frame.type === 'welcome');
    while (welcomes().length < 2) await systemClock.sleep(20);
    expect(welcomes().map(({ turn }) => turn[0]!.username)).toEqual([`${client.id}-1`, `${client.id}-2`]);
    expect(welcomes()[0]!.stun).toEqual(['stun:127.0.0.1:1']); // the host that the client dialled
  });
});

describe('TLS', () => {
  const read = (name: string) => readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8');
  const tls = { cert: read('loopback-certificate.pem'), key: read('loopback-key.pem') };

  it('the server speaks wss and https', async () => {
    const { listening } = await start({ tls });
    expect(listening.signalling).toMatch(/^wss:/);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(listening.health, { ca: tls.cert }, response => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });

  it('a connection that never finishes the TLS handshake is closed', async () => {
    const { listening } = await start({ tls, registerWithinMs: 300 });
    const { ended } = await rawSocket(scope, listening.signalling);
    await ended;
  });

  it('what is no certificate is refused before anything listens', async () => {
    const { listening } = await start(); // its STUN port becomes free, and is asked for twice
    const stunPort = Number(listening.stun[0]!.split(':').at(-1));
    await scope.close();
    for (let i = 0; i < 2; i++) {
      const options = { host: '127.0.0.1', port: 0, stunPort, tls: { cert: 'x', key: 'y' } };
      await expect(createServer(options)).rejects.toMatchObject({ code: 'bad-option' });
    }
  });
});

describe('starting and closing', () => {
  it.each([
    [{ port: -1 }, 'port'],
    [{ host: 'localhost' }, 'host'],
    [{ stun: ['http://x'] }, 'stun.0'],
    [{ prot: 1 } as ServerOptions, 'prot'],
  ])('options %j are refused, naming the place', async (options, place) => {
    const refused = createServer(options);
    await expect(refused).rejects.toMatchObject({ code: 'bad-option' });
    await expect(refused).rejects.toThrow(place);
  });

  it('a port in use: listen-failed, naming it', async () => {
    const blocker = createTcpServer();
    await new Promise<void>(resolve => blocker.listen(0, '127.0.0.1', resolve));
    scope.defer(() => blocker.close());
    const { port } = blocker.address() as { port: number };
    await expect(createServer({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringContaining(String(port)),
    });
  });

  it('closing: clients hear goodbye and 1001, visitors are closed, nothing can connect, twice is once', async () => {
    const server = await start();
    const { signalling } = server.listening;
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => new RawClient(scope, signalling).register()),
    );
    const visitor = await rawSocket(scope, signalling);
    await Promise.all([server.close(), server.close()]);
    for (const client of clients) {
      expect(await client.heard('goodbye')).toEqual({ type: 'goodbye', reason: 'draining' });
      expect(await client.closed).toBe(1001);
    }
    await visitor.ended;
    await expect(rawSocket(scope, signalling)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('a client that does not react does not hold up closing', async () => {
    const server = await start({ drainWithinMs: 200 });
    const stuck = await new RawClient(scope, server.listening.signalling).register();
    stuck.socket.pause();
    await server.close();
  });
});
