// The signalling server beside a bare `ws` echo that moves the same bytes: CPU time a message, messages a second,
// what an idle client costs, and what an honest pair feels while others misbehave (security.md, rows 19 to 21).
// The server runs in a process of its own. Alone: `npx tsx bench/signalling.ts`.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { createIdentity, signFor } from '../src/identity/keys.js';
import { systemClock } from '../src/net/clock.js';
import { registrationProof } from '../src/signalling/frames.js';
import type { Figure } from './figures.js';

const CLIENTS = 20;
const IN_FLIGHT = 64;
const MEASURE_MS = 4_000;
const IDLE_CLIENTS = 2_000;
const BOX = Buffer.alloc(400, 1).toString('base64');
const LARGE_BOX = Buffer.alloc(16_384, 1).toString('base64');

type Kind = 'bare' | 'routed';
interface Load {
  readonly cpuMicros: number;
  readonly rssBytes: number;
}

/** In the child process: serves, and answers every message from the parent with its own load. */
async function serve(kind: Kind, limits: { messagesPerSecond: number; messageBurst: number }): Promise<void> {
  process.on('message', () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send!({ cpuMicros: user + system, rssBytes: process.memoryUsage.rss() } satisfies Load);
  });
  if (kind === 'routed') {
    const { createServer } = await import('../signalling-server/index.js');
    const options = { host: '127.0.0.1', port: 0, stunPort: null, connectionsPerIp: 100_000, ...limits };
    process.send!((await createServer(options)).listening.signalling);
    return;
  }
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  server.on('connection', socket => socket.on('message', data => socket.send(data.toString())));
  process.send!(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

interface Running extends Disposable {
  readonly url: string;
  load(): Promise<Load>;
}

async function start(kind: Kind, limits = { messagesPerSecond: 1e6, messageBurst: 1e6 }): Promise<Running> {
  const execArgv = [...process.execArgv, '--expose-gc'];
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [kind, JSON.stringify(limits)], {
    execArgv,
  });
  const [url] = (await once(child, 'message')) as [string];
  const load = async () => {
    child.send('load');
    return ((await once(child, 'message')) as [Load])[0];
  };
  return { url, load, [Symbol.dispose]: () => void child.kill() };
}

/** A registered client; `onFrame` gets every frame after the welcome, as text. */
async function client(
  url: string,
  onFrame: (text: string) => void,
): Promise<{ id: string; socket: WebSocket }> {
  const identity = createIdentity();
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const [challenge] = await once(socket, 'message');
  const { nonce } = JSON.parse(String(challenge));
  const { host } = new URL(url);
  const signature = signFor('register/1', identity, registrationProof(nonce, host)).toString('base64url');
  socket.send(JSON.stringify({ type: 'register', id: identity.id, host, signature }));
  await once(socket, 'message');
  socket.on('message', data => onFrame(String(data)));
  return { id: identity.id, socket };
}

const send = (to: string, ref: number, box = BOX) => JSON.stringify({ type: 'send', ref, to, box });

/** CPU time a message in the server, and messages a second, with 20 clients that keep 64 messages under way each. */
async function throughput(kind: Kind): Promise<{ cpuMicros: number; perSecond: number }> {
  using server = await start(kind);
  let arrived = 0;
  const sockets: WebSocket[] = [];
  if (kind === 'bare') {
    const text = send('a'.repeat(52), 1);
    for (let i = 0; i < CLIENTS; i++) {
      const socket = new WebSocket(server.url, { perMessageDeflate: false });
      await once(socket, 'open');
      sockets.push(socket);
      socket.on('message', () => {
        arrived++;
        socket.send(text);
      });
      for (let n = 0; n < IN_FLIGHT; n++) socket.send(text);
    }
  } else {
    const texts: string[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      const { id, socket } = await client(server.url, frame => {
        if (!frame.startsWith('{"type":"deliver"')) return;
        arrived++;
        socket.send(texts[i ^ 1]!); // to its partner
      });
      sockets.push(socket);
      texts.push(send(id, 1));
    }
    for (const [i, socket] of sockets.entries())
      for (let n = 0; n < IN_FLIGHT; n++) socket.send(texts[i ^ 1]!);
  }
  await systemClock.sleep(1000);
  const before = { load: await server.load(), arrived, at: systemClock.now() };
  await systemClock.sleep(MEASURE_MS);
  const load = await server.load();
  const messages = arrived - before.arrived;
  const seconds = (systemClock.now() - before.at) / 1000;
  for (const socket of sockets) socket.terminate();
  return { cpuMicros: (load.cpuMicros - before.load.cpuMicros) / messages, perSecond: messages / seconds };
}

async function idleKib(): Promise<number> {
  using server = await start('routed');
  const some = async (n: number) => {
    for (let i = 0; i < n; i += 50)
      await Promise.all(Array.from({ length: 50 }, () => client(server.url, () => {})));
  };
  await some(500); // the heap's own growth is not the clients'
  const before = await server.load();
  await some(IDLE_CLIENTS);
  await systemClock.sleep(1000);
  return ((await server.load()).rssBytes - before.rssBytes) / IDLE_CLIENTS / 1024;
}

type Mischief = 'none' | 'stopped-reader' | 'flood';

/** The 99th percentile of an honest client's round trip to itself, 200 times, with default limits or near them. */
async function honestP99Ms(mischief: Mischief): Promise<number> {
  const generous = { messagesPerSecond: 1e5, messageBurst: 1e5 };
  using server = await (mischief === 'stopped-reader'
    ? start('routed', generous)
    : start('routed', { messagesPerSecond: 100, messageBurst: 100 }));
  let onArrival = () => {};
  const honest = await client(server.url, frame => frame.startsWith('{"type":"deliver"') && onArrival());
  const other = await client(server.url, () => {});
  const stopped = await client(server.url, () => {});
  if (mischief === 'stopped-reader') stopped.socket.pause();
  // 2,000 small messages a second; or 400 of the largest, 9 MB/s, to somebody who does not read
  const text = mischief === 'flood' ? send(honest.id.replace(/./, 'a'), 1) : send(stopped.id, 1, LARGE_BOX);
  const timer = setInterval(() => {
    for (let i = 0; i < { none: 0, flood: 20, 'stopped-reader': 4 }[mischief]; i++)
      other.socket.send(text, () => {});
  }, 10);
  const times: number[] = [];
  for (let ref = 0; ref < 200; ref++) {
    const sentAt = systemClock.now();
    await new Promise<void>(resolve => {
      onArrival = resolve;
      honest.socket.send(send(honest.id, ref));
    });
    times.push(systemClock.now() - sentAt);
    await systemClock.sleep(12);
  }
  clearInterval(timer);
  for (const { socket } of [honest, other, stopped]) socket.terminate();
  return times.sort((a, b) => a - b)[197]!;
}

export const title = 'Signalling server against a bare ws echo, loopback';

export async function run(): Promise<Figure[]> {
  const bare = await throughput('bare');
  const routed = await throughput('routed');
  const quiet = await honestP99Ms('none');
  return [
    { name: 'bare ws echo: CPU a message', unit: 'µs', value: bare.cpuMicros },
    { name: 'signalling server: CPU a message', unit: 'µs', value: routed.cpuMicros },
    {
      name: 'signalling server: messages a CPU second, to bare ws',
      unit: '×',
      value: bare.cpuMicros / routed.cpuMicros,
    },
    { name: 'bare ws echo', unit: 'messages/s', value: bare.perSecond },
    { name: 'signalling server, routed', unit: 'messages/s', value: routed.perSecond },
    { name: 'signalling server: memory an idle client', unit: 'KiB', value: await idleKib() },
    { name: 'honest client, p99 round trip', unit: 'ms', value: quiet },
    { name: 'the same beside a stopped reader', unit: 'ms', value: await honestP99Ms('stopped-reader') },
    { name: 'the same beside a flood of 2,000/s', unit: 'ms', value: await honestP99Ms('flood') },
  ];
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , kind, limits] = process.argv;
  if (kind === 'bare' || kind === 'routed') await serve(kind, JSON.parse(limits!));
  else {
    for (const { name, unit, value } of await run()) console.log(`${name}: ${value.toFixed(2)} ${unit}`);
  }
}
