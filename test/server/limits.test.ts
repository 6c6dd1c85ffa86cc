// What strangers and clients may take of a server (security.md, rows 17 to 19), each limit with its positive twin.
import { afterEach, describe, expect, it } from 'vitest';
import { ConnectionCount } from '../../signalling-server/connection-count.js';
import { createServer, type Server, type ServerOptions } from '../../signalling-server/index.js';
import { sourceOf } from '../../signalling-server/source-limiter.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { TokenBucket } from '../../src/net/token-bucket.js';
import { MAX_BOX_BYTES } from '../../src/signalling/frames.js';
import { metric, RawClient, rawSocket } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(options: ServerOptions = {}): Promise<Server & { url: string }> {
  const server = scope.use(await createServer({ host: '127.0.0.1', port: 0, ...options }));
  return Object.assign(server, { url: server.listening.signalling });
}

const until = async (isSo: () => boolean | Promise<boolean>) => {
  while (!(await isSo())) await systemClock.sleep(10);
};

describe('counting', () => {
  it('a token bucket: the burst at once, then the rate, never more than the burst again', () => {
    const bucket = new TokenBucket(20, 40, 0);
    const taken = (now: number, tries: number) =>
      Array.from({ length: tries }, () => bucket.take(now)).filter(Boolean).length;
    expect(taken(0, 100)).toBe(40);
    expect(taken(49, 10)).toBe(0);
    expect(taken(1000, 100)).toBe(20);
    expect(taken(3_600_000, 100)).toBe(40);
  });

  it('a household is one source: an IPv4 address, an IPv6 /64', () => {
    expect(sourceOf('192.0.2.1')).not.toBe(sourceOf('192.0.2.2'));
    expect(sourceOf('2001:db8:0:1::1')).toBe(sourceOf('2001:db8:0:1:ffff::2'));
    expect(sourceOf('2001:db8:0:1::1')).not.toBe(sourceOf('2001:db8:0:2::1'));
  });

  it('counts of sources that have left are forgotten', () => {
    const count = new ConnectionCount();
    expect([count.enter('a'), count.enter('a'), count.enter('constructor')]).toEqual([1, 2, 1]);
    count.leave('a');
    expect(count.of('a')).toBe(1);
    count.leave('a');
    expect(count.of('a')).toBe(0);
  });
});

describe('messages a second', () => {
  it('a burst of 40, then 20 a second; what is over is reported back, and nothing else suffers', async () => {
    const { url } = await start();
    const [sender, receiver] = [
      await new RawClient(scope, url).register(),
      await new RawClient(scope, url).register(),
    ];
    const startedAt = systemClock.now();
    for (let ref = 0; ref < 60; ref++) sender.post(receiver.id, ref);
    await until(() => sender.sent.length + sender.undelivered('rate-limited').length === 60);
    const allowed = 40 + Math.ceil(((systemClock.now() - startedAt) / 1000) * 20);
    expect(sender.sent.length).toBeGreaterThanOrEqual(40);
    expect(sender.sent.length).toBeLessThanOrEqual(allowed);
    expect(receiver.deliveries).toHaveLength(sender.sent.length);
    receiver.post(sender.id, 1); // another client's allowance is its own
    await until(() => receiver.sent.length === 1);
    await systemClock.sleep(150);
    sender.post(receiver.id, 100); // and patience restores one's own
    await until(() => sender.sent.includes(100));
  });

  it('who goes far beyond is cut off; the other client does not notice', async () => {
    const { url, listening } = await start();
    const [flood, receiver] = [
      await new RawClient(scope, url).register(),
      await new RawClient(scope, url).register(),
    ];
    for (let ref = 0; ref < 2000; ref++) flood.post(receiver.id, ref);
    expect(await flood.closed).toBe(4005);
    expect(await metric(listening.metrics, 'wayleave_connections_cut_total{reason="flooding"}')).toBe(1);
    receiver.post(receiver.id, 7);
    await until(() => receiver.sent.includes(7));
  });

  it('limits are configurable', async () => {
    const { url } = await start({ messagesPerSecond: 1000, messageBurst: 1000 });
    const client = await new RawClient(scope, url).register();
    expect((await client.heard('welcome')).limits).toEqual({
      boxBytes: 16_384,
      messagesPerSecond: 1000,
      burst: 1000,
    });
    for (let ref = 0; ref < 500; ref++) client.post(client.id, ref);
    await until(() => client.sent.length === 500);
  });
});

describe('connections from one address', () => {
  it('20 are served, the 21st hears 429; when one leaves, there is room', async () => {
    const { url } = await start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => new RawClient(scope, url).register()));
    const over = new RawClient(scope, url);
    const refusal = await new Promise<Error>(resolve => over.socket.once('error', resolve));
    expect(refusal.message).toContain('429');
    clients[0]!.socket.close();
    await clients[0]!.closed;
    await until(async () => {
      const again = new RawClient(scope, url);
      return again.register().then(
        () => true,
        () => false,
      );
    });
  });

  it('a crowd beyond twice that is closed unheard, and the served ones stay', async () => {
    const { url } = await start({ connectionsPerIp: 5 });
    const client = await new RawClient(scope, url).register();
    const crowd = await Promise.all(
      Array.from({ length: 30 }, () => rawSocket(scope, url).catch(() => undefined)),
    );
    let ended = 0;
    for (const visitor of crowd) void visitor?.ended.then(() => ended++);
    await until(() => ended >= 20);
    client.post(client.id, 1);
    await until(() => client.sent.length === 1);
  });
});

// The limits themselves are shortened; that their defaults are 5 s and 10 s is asserted too.
describe('time to register', () => {
  const SHORT = { registerWithinMs: 300, requestWithinMs: 600 };
  /** Sends one byte of `text` every 50 ms, again and again, until the other side ends it. */
  async function trickle(url: string, text: string): Promise<number> {
    const { socket, ended } = await rawSocket(scope, url);
    const startedAt = systemClock.now();
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length]!), 50);
    await ended;
    clearInterval(timer);
    return systemClock.now() - startedAt;
  }

  it('the defaults are 5 s and 10 s', async () => {
    const { resolveServerOptions } = await import('../../signalling-server/options.js');
    expect(resolveServerOptions({})).toMatchObject({ registerWithinMs: 5000, requestWithinMs: 10_000 });
  });

  it('a connection that says nothing is closed', async () => {
    const { url } = await start(SHORT);
    const { ended } = await rawSocket(scope, url);
    await ended;
  });

  it('a WebSocket that does not register is closed, one that did stays', async () => {
    const { url } = await start(SHORT);
    const registered = await new RawClient(scope, url).register();
    const idle = new RawClient(scope, url);
    expect(await idle.closed).toBe(1006);
    await systemClock.sleep(300);
    registered.post(registered.id, 1);
    await until(() => registered.sent.length === 1);
  });

  it('a trickled request head is closed, however steadily it trickles', async () => {
    const { url } = await start(SHORT);
    await trickle(
      url,
      'GET / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy',
    );
  });

  it('a trickled body is closed', async () => {
    const { url } = await start(SHORT);
    const { socket, ended } = await rawSocket(scope, url);
    socket.write('POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), 50);
    await ended;
    clearInterval(timer);
  });

  it('a trickled WebSocket frame is closed', async () => {
    const { url } = await start(SHORT);
    const client = new RawClient(scope, url);
    await client.heard('challenge');
    const stream = (client.socket as unknown as { _socket: { write(data: Buffer): void } })._socket;
    stream.write(Buffer.from([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4]));
    const timer = setInterval(() => stream.write(Buffer.from('x')), 50);
    await client.closed;
    clearInterval(timer);
  });
});

describe('a client that stops reading', () => {
  it('costs at most what is held for it, is dropped, and disturbs nobody', { timeout: 60_000 }, async () => {
    const heldBytesPerClient = 64 * 1024;
    const { url, listening } = await start({ messagesPerSecond: 1e6, messageBurst: 1e6, heldBytesPerClient });
    const [sender, stuck, honest] = await Promise.all(
      Array.from({ length: 3 }, () => new RawClient(scope, url).register()),
    );
    stuck!.socket.pause();
    const box = Buffer.alloc(MAX_BOX_BYTES).toString('base64');
    let ref = 0;
    // The kernel's own buffers fill first, several MB of them on loopback
    await until(() => {
      for (let i = 0; i < 50; i++) sender!.post(stuck!.id, ref++, box);
      return sender!.undelivered('too-slow').length > 0;
    });
    expect(sender!.undelivered('too-slow')).toHaveLength(1); // from then on it is simply not here
    sender!.post(honest!.id, ref, box);
    await until(() => honest!.deliveries.length === 1);
    expect(await metric(listening.metrics, 'wayleave_connections_cut_total{reason="too-slow"}')).toBe(1);
    stuck!.socket.resume();
    expect(await stuck!.closed).toBe(1006);
  });
});

describe('a client that is gone without a word', () => {
  it('is noticed: silent beyond the limit; one that answers pings stays', async () => {
    const { url, listening } = await start({ pingEveryMs: 100, silenceLimitMs: 400 });
    const alive = await new RawClient(scope, url).register();
    const gone = await new RawClient(scope, url).register();
    gone.socket.pause(); // its pongs stay away
    await until(
      async () => (await metric(listening.metrics, 'wayleave_connections_cut_total{reason="silent"}')) === 1,
    );
    await systemClock.sleep(300);
    alive.post(gone.id, 1);
    await until(() => alive.undelivered('not-here').length === 1);
  });
});
