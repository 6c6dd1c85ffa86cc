// The relay under load: echo datagrams through one core by ChannelData, and bulk through two joined TCP
// allocations (RFC 6062), with coturn beside it where it is installed. Rounds alternate; medians count.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { dialTcp, listenTcp } from '../src/net/sockets.js';
import { openTurn } from '../src/turn/client.js';
import { type Figure, median } from './figures.js';
import { DATAGRAM_BYTES, echo } from './relay-echo.js';
import { RelayPipes } from './relay-pipes.js';
import { coturn, ours, type Subject } from './relay-subjects.js';

export const title = 'TURN relay: ChannelData echo and RFC 6062 bulk (relay in its own process, loopback)';

const ROUNDS = 3;
/** A bulk transfer ends at whichever comes first. */
const BULK_BYTES = 512 * 1024 * 1024;
const BULK_MS = 4_000;

export async function run(progress: (text: string) => void): Promise<Figure[]> {
  const relays: Subject[] = [];
  try {
    relays.push(await ours());
    const other = await coturn();
    if (other) relays.push(other);
    const echoes = new Map(relays.map(relay => [relay, { rates: [] as number[], cpus: [] as number[] }]));
    const bulks = new Map(relays.map(relay => [relay, [] as number[]]));
    const direct: number[] = [];
    const piped = new Map(relays.map(relay => [relay, [] as number[]]));
    const straight: number[] = [];
    await using pipes = await RelayPipes.between(relays);
    for (let round = 1; round <= ROUNDS; round++) {
      for (const relay of relays) {
        progress(`echo through ${relay.name}, round ${round}`);
        const { rate, cpu } = await echo(relay);
        echoes.get(relay)!.rates.push(rate);
        echoes.get(relay)!.cpus.push(cpu);
      }
      progress(`bulk, round ${round}`);
      direct.push(await bulkDirect());
      for (const relay of relays) bulks.get(relay)!.push(await bulk(relay));
      progress(`pipes, round ${round}`);
      straight.push(await pipes.bulk(relays[0]!, 'direct'));
      for (const relay of relays) piped.get(relay)!.push(await pipes.bulk(relay, 'relay'));
    }
    const [mine, theirs] = relays;
    const baseline = (pick: (relay: Subject) => number) =>
      theirs ? { baseline: { name: theirs.name, value: pick(theirs) } } : {};
    const rate = (relay: Subject) => median(echoes.get(relay)!.rates);
    const cpu = (relay: Subject) => median(echoes.get(relay)!.cpus);
    const bandwidth = (relay: Subject) => median(bulks.get(relay)!);
    return [
      {
        name: `echo datagrams of ${DATAGRAM_BYTES} bytes, ChannelData`,
        value: rate(mine!),
        unit: '1/s',
        ...baseline(rate),
        limit: { of: 'value', least: 40_000 },
      },
      {
        name: 'CPU time a relayed datagram',
        value: cpu(mine!),
        unit: 'µs',
        ...baseline(cpu),
        limit: { of: 'value', most: 8 },
      },
      { name: 'bulk, RFC 6062', value: bandwidth(mine!), unit: 'MB/s', ...baseline(bandwidth) },
      {
        name: 'bulk, RFC 6062, against plain TCP',
        value: bandwidth(mine!),
        unit: 'MB/s',
        baseline: { name: 'TCP without relay', value: median(direct) },
      },
      ...relays.map(
        (relay): Figure => ({
          name: `bulk, pipe through ${relay.name}`,
          value: median(piped.get(relay)!),
          unit: 'MB/s',
          baseline: { name: 'direct pipe', value: median(straight) },
          ...(relay === mine && { limit: { of: 'ratio', least: 0.35 } }),
        }),
      ),
    ];
  } finally {
    for (const relay of relays) await relay[Symbol.asyncDispose]();
  }
}

/** MB a second from one client to the other. */
async function bulk(relay: Subject): Promise<number> {
  const left = await openTurn(await relay.server('tcp', 'left'), { relayed: 'tcp' });
  const right = await openTurn(await relay.server('tcp', 'right'), { relayed: 'tcp' });
  try {
    await right.permit([left.relayed.host]);
    const coming = new Promise<Socket>((resolve, reject) => {
      right.onConnectionAttempt = connectionId => right.accept(connectionId).then(resolve, reject);
    });
    const [near, far] = await Promise.all([left.connect(right.relayed), coming]);
    return await transfer(near, far);
  } finally {
    await left.close();
    await right.close();
  }
}

async function bulkDirect(): Promise<number> {
  let accepted!: (socket: Socket) => void;
  const coming = new Promise<Socket>(resolve => {
    accepted = resolve;
  });
  await using listener = await listenTcp({ host: '127.0.0.1' }, socket => accepted(socket));
  const near = await dialTcp({ remote: { host: '127.0.0.1', port: listener.port } });
  return await transfer(near, await coming);
}

async function transfer(near: Socket, far: Socket): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, 1);
  let received = 0;
  const whole = new Promise<void>(resolve => {
    far.on('data', data => {
      received += data.length;
      if (received >= BULK_BYTES) resolve();
    });
  });
  const startMs = performance.now();
  const ended = Promise.race([whole, pause(BULK_MS)]);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  for (let sent = 0; sent < BULK_BYTES && !over; sent += chunk.length) {
    if (!near.write(chunk)) await Promise.race([once(near, 'drain'), ended]);
  }
  await ended;
  const seconds = (performance.now() - startMs) / 1_000;
  near.destroy();
  far.destroy();
  return received / 1e6 / seconds;
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
