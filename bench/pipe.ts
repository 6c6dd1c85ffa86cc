// Pipes against bare mutual node:tls: same machine, same run, same certificates, two processes on loopback. Rounds
// of the two alternate, and medians are compared, so that a busy machine is unfair to both alike.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createIdentity } from '../src/identity/keys.js';
import { type Figure, median, percentile } from './figures.js';
import type { FarPorts } from './pipe-far.js';
import { framed, offlineNode, openPipe, openTls } from './pipe-peers.js';

export const title = 'Pipe against bare mutual node:tls (same certificates, two processes, loopback)';

const ROUNDS = 7;
const BULK_BYTES = 256 * 1024 * 1024;
const BULK_MESSAGE_BYTES = 64 * 1024;
const SMALL_MESSAGES = 500_000;
const SMALL_MESSAGE_BYTES = 64;
const ECHOES = 2000;
const CONNECTS = 60; // a round
const COLD_RUNS = 15;
const HELD_PIPES = 1000;

/** What a fresh process reports, in milliseconds. */
interface Cold {
  readonly importMs: number;
  readonly createMs: number;
  readonly connectMs: number;
}

const identity = createIdentity();
const node = await offlineNode({ listen: false });

function start(script: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return fork(path, args, { execArgv: ['--expose-gc'], stdio: 'inherit' });
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [value] = await once(child, 'message', { signal: AbortSignal.timeout(120_000) });
  return value as T;
}

export async function run(progress: (text: string) => void): Promise<Figure[]> {
  const far = start('pipe-far.js');
  try {
    const ports = await answer<FarPorts>(far);
    progress('throughput');
    const bulk = await alternate(
      () => bulkTls(ports, BULK_BYTES, BULK_MESSAGE_BYTES),
      () => bulkPipe(ports, BULK_BYTES, BULK_MESSAGE_BYTES),
    );
    progress('small messages');
    const smallBytes = SMALL_MESSAGES * SMALL_MESSAGE_BYTES;
    const small = await alternate(
      () => bulkTls(ports, smallBytes, SMALL_MESSAGE_BYTES),
      () => bulkPipe(ports, smallBytes, SMALL_MESSAGE_BYTES),
    );
    progress('echo');
    const echo = await alternate(
      () => echoTls(ports),
      () => echoPipe(ports),
    );
    progress('connect');
    const connects = { tls: [] as number[], pipe: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < CONNECTS; i++) {
        connects.tls.push(await timed(() => connectTls(ports)));
        connects.pipe.push(await timed(() => connectPipe(ports)));
      }
    }
    progress('first connect of a fresh process');
    const cold = { tls: [] as Cold[], pipe: [] as Cold[] };
    for (let i = 0; i < COLD_RUNS; i++) {
      cold.tls.push(await answer<Cold>(start('pipe-fresh.js', 'cold', 'tls', `${ports.tlsEcho}`)));
      cold.pipe.push(await answer<Cold>(start('pipe-fresh.js', 'cold', 'pipe', ports.pipeEcho)));
    }
    const coldMedian = (kind: 'tls' | 'pipe', what: keyof Cold) => median(cold[kind].map(run => run[what]));
    progress('memory');
    const memory = { tls: await memoryEach('tls'), pipe: await memoryEach('pipe') };

    const perSecond = (amount: number, ms: number) => (amount * 1000) / ms;
    const MB = 1e6;
    const tls = 'bare mutual TLS';
    return [
      {
        name: 'bulk, 64 KiB messages',
        value: perSecond(BULK_BYTES, bulk.pipe) / MB,
        unit: 'MB/s',
        baseline: { name: `${tls}, 64 KiB writes`, value: perSecond(BULK_BYTES, bulk.tls) / MB },
        limit: { of: 'ratio', least: 0.8 },
      },
      {
        name: 'one way, 64-byte messages',
        value: perSecond(SMALL_MESSAGES, small.pipe),
        unit: 'msg/s',
        baseline: { name: `${tls}, one write a message`, value: perSecond(SMALL_MESSAGES, small.tls) },
        limit: { of: 'value', least: 200_000 },
      },
      {
        name: 'echo round trip, 64 bytes, p50',
        value: echo.pipe * 1000,
        unit: 'us',
        baseline: { name: tls, value: echo.tls * 1000 },
        limit: { of: 'ratio', most: 1.5 },
      },
      {
        name: 'warm connect to first echoed byte, p50',
        value: median(connects.pipe),
        unit: 'ms',
        baseline: { name: `${tls} plus framing, p50`, value: median(connects.tls) },
        limit: { of: 'ratio', most: 1.5 },
      },
      {
        name: 'warm connect to first echoed byte, p99',
        value: percentile(connects.pipe, 99),
        unit: 'ms',
        baseline: { name: 'our own p50', value: median(connects.pipe) },
        limit: { of: 'ratio', most: 3 },
      },
      {
        name: 'the same p99 of bare TLS',
        value: percentile(connects.tls, 99),
        unit: 'ms',
        baseline: { name: 'its own p50', value: median(connects.tls) },
      },
      {
        name: 'cold connect (fresh process and node), p50',
        value: coldMedian('pipe', 'connectMs'),
        unit: 'ms',
        baseline: { name: `${tls} plus framing, fresh process, p50`, value: coldMedian('tls', 'connectMs') },
        limit: { of: 'value', most: 8 },
      },
      {
        name: 'createNode, offline, after import, p50',
        value: coldMedian('pipe', 'createMs'),
        unit: 'ms',
        limit: { of: 'value', most: 30 },
      },
      {
        name: "import 'wayleave', p50",
        value: coldMedian('pipe', 'importMs'),
        unit: 'ms',
        limit: { of: 'value', most: 100 },
      },
      {
        name: 'memory a pipe, dialling side',
        value: memory.pipe.near / 1024,
        unit: 'KiB',
        baseline: { name: tls, value: memory.tls.near / 1024 },
        limit: { of: 'value', most: 100 },
      },
      {
        name: 'memory a pipe, accepting side',
        value: memory.pipe.far / 1024,
        unit: 'KiB',
        baseline: { name: tls, value: memory.tls.far / 1024 },
        limit: { of: 'value', most: 100 },
      },
    ];
  } finally {
    far.kill();
    await node.close();
  }
}

/** The median of each, in milliseconds, after one unmeasured round. */
async function alternate(
  tls: () => Promise<number>,
  pipe: () => Promise<number>,
): Promise<{ tls: number; pipe: number }> {
  await tls();
  await pipe();
  const all = { tls: [] as number[], pipe: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    all.tls.push(await tls());
    all.pipe.push(await pipe());
  }
  return { tls: median(all.tls), pipe: median(all.pipe) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function bulkTls(ports: FarPorts, totalBytes: number, messageBytes: number): Promise<number> {
  const socket = await openTls(identity, ports.tlsSink);
  const message = Buffer.alloc(messageBytes, 7);
  const size = Buffer.alloc(8);
  size.writeDoubleBE(totalBytes);
  socket.write(size);
  const ms = await timed(async () => {
    const done = once(socket, 'data');
    for (let sent = 0; sent < totalBytes; sent += messageBytes) {
      if (!socket.write(message)) await once(socket, 'drain');
    }
    await done;
  });
  socket.destroy();
  return ms;
}

async function bulkPipe(ports: FarPorts, totalBytes: number, messageBytes: number): Promise<number> {
  await using pipe = await openPipe(node, ports.pipeSink);
  const message = Buffer.alloc(messageBytes, 7);
  await pipe.send(`${totalBytes}`);
  return await timed(async () => {
    for (let sent = 0; sent < totalBytes; sent += messageBytes) await pipe.send(message);
    await pipe.recv();
  });
}

async function echoTls(ports: FarPorts): Promise<number> {
  const socket = await openTls(identity, ports.tlsEcho);
  const message = Buffer.alloc(SMALL_MESSAGE_BYTES, 7);
  const samples: number[] = [];
  let arrived = () => {};
  socket.on('data', () => arrived());
  for (let i = 0; i < ECHOES; i++) {
    samples.push(
      await timed(
        () =>
          new Promise<void>(resolve => {
            arrived = resolve;
            socket.write(message);
          }),
      ),
    );
  }
  socket.destroy();
  return median(samples);
}

async function echoPipe(ports: FarPorts): Promise<number> {
  await using pipe = await openPipe(node, ports.pipeEcho);
  const message = Buffer.alloc(SMALL_MESSAGE_BYTES, 7);
  const samples: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    samples.push(
      await timed(async () => {
        await pipe.send(message);
        await pipe.recv();
      }),
    );
  }
  return median(samples);
}

async function connectTls(ports: FarPorts): Promise<void> {
  const socket = await openTls(identity, ports.tlsEcho);
  socket.write(framed(Buffer.from('x')));
  await once(socket, 'data');
  socket.destroy();
}

async function connectPipe(ports: FarPorts): Promise<void> {
  const pipe = await openPipe(node, ports.pipeEcho);
  await pipe.send('x');
  await pipe.recv();
  void pipe.close();
}

/** Resident bytes that one more connection costs in each of two fresh processes. */
async function memoryEach(kind: 'tls' | 'pipe'): Promise<{ near: number; far: number }> {
  const far = start('pipe-far.js');
  try {
    const ports = await answer<FarPorts>(far);
    const where = kind === 'tls' ? `${ports.tlsEcho}` : ports.pipeEcho;
    const near = start('pipe-fresh.js', 'hold', kind, where, `${HELD_PIPES}`);
    await answer(near);
    far.send('memory');
    const before = await answer<number>(far);
    near.send('go');
    const nearBytes = await answer<number>(near);
    far.send('memory');
    const farBytes = (await answer<number>(far)) - before;
    near.send('done');
    return { near: nearBytes / HELD_PIPES, far: farBytes / HELD_PIPES };
  } finally {
    far.kill();
  }
}
