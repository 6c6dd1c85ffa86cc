// Server processes joined through NATS: what a seat costs, how fast seats are taken and come back after NATS was
// restarted, and how long a message and its answer take from one process to the other. Needs nats-server.
// Alone: `npm run bench backplane`.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocket } from 'ws';
import { seatWay } from '../signalling-server/backplane/seat-table.js';
import { createIdentity, signFor } from '../src/identity/keys.js';
import { systemClock } from '../src/net/clock.js';
import { registrationProof } from '../src/signalling/frames.js';
import { type Figure, percentile } from './figures.js';
import { startNats } from './nats-server.js';

const SEATS = 20_000;
const PER_SECOND = 500;
const ROUND_TRIPS = 2_000;
const WARM_UP = 200;
const BOX = Buffer.alloc(400, 1).toString('base64');

/** In the child process: a server; or the seats of one, with nobody on them. */
async function child(kind: string, nats: string): Promise<void> {
  if (kind === 'server') {
    const { createServer } = await import('../signalling-server/index.js');
    const limits = { messagesPerSecond: 1e6, messageBurst: 1e6 };
    const server = await createServer({
      host: '127.0.0.1',
      port: 0,
      stunPort: null,
      nats: [nats],
      ...limits,
    });
    const ready = server.listening.health.replace('/healthz', '/readyz');
    while ((await fetch(ready)).status !== 200) await systemClock.sleep(20);
    process.send!(server.listening.signalling);
    return;
  }
  const { NatsBackplane } = await import('../signalling-server/backplane/nats.js');
  const { loadNats } = await import('../signalling-server/backplane/nats-connection.js');
  const { parseNatsUrl } = await import('../signalling-server/backplane/nats-url.js');
  const { createLog } = await import('../signalling-server/log.js');
  const log = await createLog('silent');
  const backplane = new NatsBackplane({ servers: [parseNatsUrl(nats)!], dial: await loadNats(), log });
  const joined = async (is: boolean) => {
    while (backplane.figures.joined !== is) await systemClock.sleep(1);
  };
  await joined(true);
  const seats = Array.from({ length: SEATS }, () => {
    const id = Array.from(
      { length: 52 },
      () => 'abcdefghijklmnopqrstuvwxyz234567'[(Math.random() * 32) | 0],
    ).join('');
    return { id, way: seatWay(undefined, 'bench'), push: () => 'sent' as const, takenOver() {} };
  });
  const heapBytes = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = heapBytes();
  const startedAt = systemClock.now();
  for (let from = 0; from < SEATS; from += 100)
    await Promise.all(seats.slice(from, from + 100).map(seat => backplane.take(seat)));
  const takenMs = systemClock.now() - startedAt;
  const bytes = (heapBytes() - before) / SEATS;
  process.send!({ takenPerSecond: SEATS / (takenMs / 1000), bytes });
  await joined(false);
  process.send!('lost');
  const lostAt = systemClock.now();
  await joined(true);
  process.send!(systemClock.now() - lostAt);
}

function start(kind: 'server' | 'seats', nats: string): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [kind, nats], {
    execArgv: ['--expose-gc', ...process.execArgv],
  });
}

const said = async <T>(from: ChildProcess): Promise<T> => ((await once(from, 'message')) as [T])[0];

async function register(url: string): Promise<{ id: string; socket: WebSocket }> {
  const identity = createIdentity();
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const { nonce } = JSON.parse(String((await once(socket, 'message'))[0]));
  const proof = registrationProof(nonce, new URL(url).host);
  const signature = signFor('register/1', identity, proof).toString('base64url');
  const { host } = new URL(url);
  socket.send(JSON.stringify({ type: 'register', id: identity.id, host, signature }));
  await once(socket, 'message');
  return { id: identity.id, socket };
}

/** From one client to another and back, milliseconds, at a steady rate. */
async function roundTrips(urlOfOne: string, urlOfOther: string): Promise<number[]> {
  const [one, other] = [await register(urlOfOne), await register(urlOfOther)];
  const send = (from: WebSocket, to: string, ref: number) =>
    from.send(JSON.stringify({ type: 'send', ref, to, box: BOX }));
  const isDelivery = (data: unknown) => String(data).startsWith('{"type":"deliver"');
  const sentAt: number[] = [];
  const times: number[] = [];
  let echoed = 0;
  other.socket.on('message', data => isDelivery(data) && send(other.socket, one.id, echoed++));
  one.socket.on('message', data => {
    if (isDelivery(data)) times.push(systemClock.now() - sentAt[times.length]!); // in order, none lost
  });
  const startedAt = systemClock.now();
  while (times.length < ROUND_TRIPS + WARM_UP) {
    const due = Math.min(ROUND_TRIPS + WARM_UP, ((systemClock.now() - startedAt) / 1000) * PER_SECOND);
    while (sentAt.length < due) send(one.socket, other.id, sentAt.push(systemClock.now()));
    await systemClock.sleep(1);
  }
  for (const { socket } of [one, other]) socket.terminate();
  return times.slice(WARM_UP);
}

export const title = `Server processes joined through NATS, loopback; ${PER_SECOND} round trips a second`;

export async function run(progress: (text: string) => void): Promise<Figure[]> {
  const nats = await startNats().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (!nats) {
    progress('nothing measured: apt-get install nats-server');
    return [];
  }
  const servers = [start('server', nats.url), start('server', nats.url)];
  const children = [...servers];
  try {
    const [one, other] = (await Promise.all(servers.map(server => said<string>(server)))) as [string, string];
    const near = await roundTrips(one, one);
    const across = await roundTrips(one, other);
    const seats = start('seats', nats.url);
    children.push(seats);
    const taken = await said<{ takenPerSecond: number; bytes: number }>(seats);
    const lost = said(seats);
    const restarted = nats.restart();
    await lost;
    const back = said<number>(seats);
    await restarted;
    return [
      { name: 'round trip in one process, p50', unit: 'ms', value: percentile(near, 50) },
      { name: 'round trip in one process, p99', unit: 'ms', value: percentile(near, 99) },
      { name: 'round trip across two, p50', unit: 'ms', value: percentile(across, 50) },
      {
        name: 'round trip across two, p99',
        unit: 'ms',
        value: percentile(across, 99),
        limit: { of: 'value', most: 20 },
      },
      { name: 'seats taken, 100 at a time', unit: 'seats/s', value: taken.takenPerSecond },
      { name: 'heap a seat, its client aside', unit: 'bytes', value: taken.bytes },
      { name: `NATS restarted: ${SEATS} seats back after`, unit: 'ms', value: await back },
    ];
  } finally {
    for (const process of children) process.kill();
    nats.end();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , kind, nats] = process.argv;
  await child(kind!, nats!);
}
