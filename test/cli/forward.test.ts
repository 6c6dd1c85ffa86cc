// `wayleave forward` as users meet it: a real HTTP server behind one process, clients in front of the other.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliProcess, cli, run } from './cli.js';

/** 48 MiB: a hundred windows, some seconds at most. */
const BIG = randomBytes(48 * 1024 * 1024);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface Forwarding extends AsyncDisposable {
  readonly port: number;
  readonly near: CliProcess;
  readonly far: CliProcess;
}

/** A far node that allows the port, and a near one that forwards to it. */
async function forwardTo(port: number, host = '127.0.0.1'): Promise<Forwarding> {
  const far = cli('node', '--no-port-mapping', '--json', '--allow-forward', `${host}:${port}`);
  const { address } = await far.event('listening');
  const near = cli('forward', address as string, `0:${host}:${port}`, '--json');
  const listening = await near.event('listening');
  return {
    port: listening.port as number,
    near,
    far,
    async [Symbol.asyncDispose]() {
      await Promise.all([near[Symbol.asyncDispose](), far[Symbol.asyncDispose]()]);
    },
  };
}

/** A TCP server that hands each connection to `serve`. */
async function tcpServer(serve: (socket: Socket) => void): Promise<{ port: number } & Disposable> {
  const server = createTcpServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {}); // resets are what some of these tests are about
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.dispose]: () => void server.close(),
  };
}

function post(port: number, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent: false }, response => {
      const parts: Buffer[] = [];
      response.on('data', part => parts.push(part)).on('error', reject);
      response.on('end', () => resolve(Buffer.concat(parts)));
    });
    outgoing.on('error', reject).end(body);
  });
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** How the connection ends, as its owner sees it. */
function ending(socket: Socket): Promise<string> {
  socket.resume();
  return new Promise(resolve => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!));
    socket.once('end', () => resolve('end'));
  });
}

describe('through a forwarding', () => {
  const http = createServer(async (incoming, response) => {
    const hash = createHash('sha256');
    for await (const part of incoming) hash.update(part);
    response.setHeader('x-received', hash.digest('hex'));
    response.end(incoming.url === '/big' ? BIG : incoming.headers['x-received']);
  });
  let forwarding: Forwarding;

  beforeAll(async () => {
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    forwarding = await forwardTo((http.address() as { port: number }).port);
  });
  afterAll(async () => {
    await forwarding?.[Symbol.asyncDispose]();
    http.close();
  });

  it('a big file comes back whole and goes there whole', async () => {
    const response = await fetch(`http://127.0.0.1:${forwarding.port}/big`, { method: 'POST', body: BIG });
    expect(response.headers.get('x-received')).toBe(sha256(BIG));
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(BIG));
  });

  it('a hundred connections at once share one pipe', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => post(forwarding.port, Buffer.from('x'))),
    );
    expect(answers).toHaveLength(100);
    expect(forwarding.far.events.filter(({ event }) => event === 'pipe')).toHaveLength(1);
    expect(forwarding.far.events.some(({ event }) => event === 'message')).toBe(false);
  });

  it('one that is not read holds up nobody else', async () => {
    const stuck = await connected(forwarding.port);
    stuck.pause();
    stuck.write('GET /big HTTP/1.1\r\nhost: x\r\n\r\n');
    for (let i = 0; i < 5; i++) await post(forwarding.port, Buffer.from('x'));
    stuck.destroy();
  });

  it('a name is resolved at the far side', async () => {
    await using named = await forwardTo((http.address() as { port: number }).port, 'localhost');
    const response = await fetch(`http://127.0.0.1:${named.port}/`, { method: 'POST', body: 'x' });
    expect(response.headers.get('x-received')).toBe(sha256(Buffer.from('x')));
  });
});

describe('TCP’s manners', () => {
  it('a half close goes through, and the other direction lives on', async () => {
    using server = await tcpServer(socket => {
      const parts: Buffer[] = [];
      socket.on('data', part => parts.push(part));
      socket.on('end', () => socket.end(`got ${Buffer.concat(parts)}`)); // answers only after our end
    });
    await using forwarding = await forwardTo(server.port);
    const socket = await connected(forwarding.port);
    socket.end('all of it');
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe('got all of it');
  });

  it('a reset goes through, both ways', async () => {
    const speaking: Socket[] = [];
    let wake = () => {};
    using server = await tcpServer(socket => {
      // a connection whose dial is still under way is broken off by a mere close: wait for the first byte
      socket.once('data', () => {
        speaking.push(socket);
        wake();
      });
    });
    const arrived = (count: number) =>
      new Promise<void>(resolve => {
        wake = () => speaking.length >= count && resolve();
        wake();
      });
    await using forwarding = await forwardTo(server.port);

    const first = await connected(forwarding.port);
    first.write('x');
    await arrived(1);
    const seen = ending(first);
    speaking[0]!.resetAndDestroy();
    expect(await seen).toBe('ECONNRESET');

    const second = await connected(forwarding.port);
    second.write('x');
    await arrived(2);
    const seenThere = ending(speaking[1]!);
    second.resetAndDestroy();
    expect(await seenThere).toBe('ECONNRESET');
  });

  it('a port where nothing listens resets the connection, and both sides say so', async () => {
    using server = await tcpServer(() => {});
    const { port } = server;
    server[Symbol.dispose]();
    await using forwarding = await forwardTo(port);
    const socket = await connected(forwarding.port);
    expect(await ending(socket)).toBe('ECONNRESET');
    const failed = await forwarding.far.event('forward-failed');
    expect(failed).toMatchObject({ code: 'dial-failed', target: `127.0.0.1:${port}` });
  });
});

describe('who may forward where', () => {
  it('a target that the far node does not name is refused on both sides, and nothing is dialled', async () => {
    let dialled = 0;
    using server = await tcpServer(() => dialled++);
    await using far = cli('node', '--no-port-mapping', '--json', '--allow-forward', 'localhost:1');
    const { address } = await far.event('listening');
    const target = `127.0.0.1:${server.port}`;
    const { code, events, stderr } = await run('forward', address as string, `0:${target}`, '--json');
    expect(code).toBe(1);
    expect(events.at(-1)).toMatchObject({ event: 'failed', code: 'forward-refused' });
    expect(events.at(-1)!.message).toContain(target);
    expect(events.some(({ event }) => event === 'listening')).toBe(false);
    expect(stderr).toBe('');
    expect(await far.event('forward-refused')).toMatchObject({ target });
    expect(dialled).toBe(0);
  });

  it('a node without --allow-forward refuses as clearly, and still echoes to others', async () => {
    await using far = cli('node', '--no-port-mapping', '--json', '--echo');
    const address = (await far.event('listening')).address as string;
    const refused = await run('forward', address, '0:localhost:80', '--json');
    expect(refused.events.at(-1)).toMatchObject({ event: 'failed', code: 'forward-refused' });
    const echoed = await run('connect', address, '--message', 'hi', '--json');
    expect(echoed.events.at(-1)).toEqual({ event: 'message', data: 'hi' });
  });

  it.each(['80:localhost', 'localhost:80', '70000:localhost:80', '80:localhost:0'])(
    '%s is wrong usage',
    async spec => {
      const { code, stderr } = await run('forward', 'wl1x', spec);
      expect(code).toBe(2);
      expect(stderr).toContain('LOCALPORT:HOST:PORT');
    },
  );
});

describe('a pipe that is lost', () => {
  it('resets what it carried; new connections wait for the next pipe', async () => {
    using server = await tcpServer(socket => socket.pipe(socket));
    const directory = await mkdtemp(join(tmpdir(), 'wayleave-forward-'));
    try {
      const key = join(directory, 'key');
      const allow = ['--allow-forward', `127.0.0.1:${server.port}`];
      const first = cli('node', '--no-port-mapping', '--json', '--key', key, ...allow);
      const address = (await first.event('listening')).address as string;
      const nodePort = first.events[0] && portOf(await run('address', address, '--json'));
      await using near = cli('forward', address, `0:127.0.0.1:${server.port}`, '--json');
      const port = (await near.event('listening')).port as number;

      const old = await connected(port);
      old.write('hello');
      await once(old, 'data');
      const seen = ending(old);
      await first[Symbol.asyncDispose](); // kill -9
      expect(await seen).toBe('ECONNRESET');
      await near.event('lost');

      const waiting = await connected(port);
      waiting.write('hello again');
      await using _second = cli(
        'node',
        '--no-port-mapping',
        '--json',
        '--key',
        key,
        '--port',
        String(nodePort),
        ...allow,
      );
      expect(String((await once(waiting, 'data'))[0])).toBe('hello again');
      const seenAtLast = ending(waiting);
      near.child.kill('SIGINT');
      expect(await seenAtLast).toBe('ECONNRESET');
      expect(await near.exit).toBe(130);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

function portOf({ events }: CliProcess): number {
  return (events[0]!.interfaces as { port: number }[])[0]!.port;
}
