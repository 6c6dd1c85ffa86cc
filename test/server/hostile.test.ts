// Clients that mean harm, and those that vanish: what they get, and that an honest one is served all the while
// (security.md, rows 17 to 20). How fast it is served meanwhile is what `npm run bench -- load` measures.
import { afterEach, describe, expect, it } from 'vitest';
import { createServer, type Listening, type ServerOptions } from '../../signalling-server/index.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { metric, RawClient, rawSocket } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const start = async (options: ServerOptions = {}): Promise<Listening> =>
  scope.use(await createServer({ host: '127.0.0.1', port: 0, stunPort: null, ...options })).listening;

const until = async (isSo: () => boolean | Promise<boolean>) => {
  while (!(await isSo())) await systemClock.sleep(10);
};

/** The TCP connection under a client, to write what no WebSocket library would. */
const wire = (client: RawClient) =>
  (client.socket as unknown as { _socket: { write(data: Buffer): void } })._socket;

/** Sends messages to itself, one after the other, until `enough`; each has to arrive. */
async function beHonest(client: RawClient, enough: () => boolean): Promise<number> {
  let ref = 0;
  for (; !enough(); ref++) {
    client.post(client.id, ref);
    await until(() => client.sent.includes(ref));
    await systemClock.sleep(60); // under 20 a second
  }
  return ref;
}

describe('a flood of 2,000 messages a second (row 20)', () => {
  it('is refused, then cut off, again and again; an honest client is served throughout', async () => {
    const { signalling, metrics } = await start();
    const honest = await new RawClient(scope, signalling).register();
    let floods = 0;
    let refused = 0;
    const flooding = (async () => {
      while (floods < 4) {
        const flood = await new RawClient(scope, signalling).register();
        const timer = setInterval(() => {
          for (let i = 0; i < 20; i++) flood.post(honest.id, i);
        }, 10);
        expect(await flood.closed).toBe(4005);
        clearInterval(timer);
        floods++;
        refused += flood.undelivered('rate-limited').length;
      }
    })();
    const served = await beHonest(honest, () => floods === 4);
    await flooding;
    expect(served).toBeGreaterThan(5);
    const strangers = honest.deliveries.filter(({ from }) => from !== honest.id).length;
    expect(strangers).toBeGreaterThan(0); // what is within the limits passes
    expect(strangers).toBeLessThanOrEqual(4 * (40 + 20)); // a burst each, and a second's worth
    expect(refused).toBeGreaterThan(4 * 300);
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="flooding"}')).toBe(4);
  });

  it('of pings counts as well', async () => {
    const { signalling } = await start();
    const flood = await new RawClient(scope, signalling).register();
    for (let i = 0; i < 2000; i++) flood.socket.ping();
    expect([4005, 1006]).toContain(await flood.closed); // for the pings, or for not reading the pongs
  });

  it('of frame types that nobody knows counts as well', async () => {
    const { signalling } = await start();
    const flood = await new RawClient(scope, signalling).register();
    for (let i = 0; i < 2000; i++) flood.say({ type: 'later' });
    expect(await flood.closed).toBe(4005);
  });
});

describe('a frame over the limit', () => {
  /** Head of a masked text frame that announces so many bytes. */
  function head(bytes: number): Buffer {
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    head.writeBigUInt64BE(BigInt(bytes), 2);
    return head;
  }

  it.each([
    ['25 KiB', 25 * 1024],
    ['1 GiB', 2 ** 30],
    ['more than there is', 2 ** 52],
  ])('%s announced: closed at the announcement, nothing allocated', async (_, bytes) => {
    const { signalling } = await start();
    const honest = await new RawClient(scope, signalling).register();
    const before = process.memoryUsage();
    for (const registered of [false, true]) {
      const client = new RawClient(scope, signalling);
      if (registered) await client.register();
      else await client.heard('challenge');
      wire(client).write(head(bytes));
      expect(await client.closed).toBe(1009);
    }
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    expect(grown).toBeLessThan(16 << 20);
    honest.post(honest.id, 1);
    await honest.heard('deliver');
  });

  it('in more than 16 pieces: closed; in a few: read', async () => {
    const { signalling } = await start();
    const text = Buffer.from(JSON.stringify({ type: 'later', padding: 'x'.repeat(100) }));
    const send = (client: RawClient, pieces: number) => {
      for (let i = 0; i < pieces; i++) {
        const part = text.subarray(
          Math.floor((i * text.length) / pieces),
          Math.floor(((i + 1) * text.length) / pieces),
        );
        client.socket.send(part, { binary: false, fin: i === pieces - 1 });
      }
    };
    const few = await new RawClient(scope, signalling).register();
    send(few, 3);
    few.post(few.id, 1);
    await few.heard('deliver');
    const many = await new RawClient(scope, signalling).register();
    send(many, 40);
    expect(await many.closed).toBe(1008);
  });

  it('a request head of more than 8 KiB is no request', async () => {
    const { signalling, metrics } = await start();
    const { socket, ended } = await rawSocket(scope, signalling);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${'X: yyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(2000)}\r\n`);
    expect(await ended).toBe('');
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="protocol-error"}')).toBe(1);
  });
});

describe('a client that vanishes', () => {
  const IMPATIENT = { pingEveryMs: 100, silenceLimitMs: 400 };

  it('and never answers a ping: it is dropped, its id is free, its messages are reported back', async () => {
    const { signalling, metrics } = await start(IMPATIENT);
    const honest = await new RawClient(scope, signalling).register();
    const gone = await new RawClient(scope, signalling, undefined, {}, { autoPong: false }).register();
    await until(async () => (await metric(metrics, 'wayleave_connections_cut_total{reason="silent"}')) === 1);
    expect(await metric(metrics, 'wayleave_clients')).toBe(1);
    honest.post(gone.id, 1);
    await until(() => honest.undelivered('not-here').length === 1);
    const back = await new RawClient(scope, signalling, gone.identity).register();
    honest.post(back.id, 2);
    await back.heard('deliver');
  });

  it('and comes back before it is missed: the new connection takes the id over at once', async () => {
    const { signalling } = await start();
    const honest = await new RawClient(scope, signalling).register();
    const gone = await new RawClient(scope, signalling, undefined, {}, { autoPong: false }).register();
    const back = await new RawClient(scope, signalling, gone.identity).register();
    honest.post(back.id, 1);
    await back.heard('deliver');
    expect(gone.deliveries).toEqual([]);
    expect(await gone.closed).toBe(4001);
  });

  it('half closed before it has said anything, or after: its connection is ended', async () => {
    const { signalling, metrics } = await start();
    const silent = await rawSocket(scope, signalling);
    silent.socket.end();
    await silent.ended;
    const asking = await rawSocket(scope, signalling);
    asking.socket.end('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await asking.ended).toContain('HTTP/1.1 200 ');
    const registered = await new RawClient(scope, signalling).register();
    (wire(registered) as unknown as { end(): void }).end();
    await registered.closed;
    await until(async () => (await metric(metrics, 'wayleave_clients')) === 0);
    expect(await metric(metrics, 'wayleave_sockets')).toBe(1); // who asks
  });
});

describe('draining', () => {
  it('/readyz says 503 and /healthz 200 while clients take their leave; no newcomer gets in', async () => {
    const server = scope.use(await createServer({ host: '127.0.0.1', port: 0, stunPort: null }));
    const { signalling, health, metrics } = server.listening;
    const stuck = await new RawClient(scope, signalling).register();
    stuck.socket.pause(); // does not leave
    const closing = server.close();
    const status = async (url: string) => (await fetch(url)).status;
    expect(await status(health.replace('healthz', 'readyz'))).toBe(503);
    expect(await status(health)).toBe(200);
    expect(await metric(metrics, 'wayleave_draining')).toBe(1);
    const newcomer = new RawClient(scope, signalling);
    const refusal = await new Promise<Error>(resolve => newcomer.socket.once('error', resolve));
    expect(refusal.message).toContain('503');
    stuck.socket.resume();
    await closing;
    await expect(fetch(health)).rejects.toThrow();
  });
});
