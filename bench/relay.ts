// The relay under load: echo datagrams through one core by ChannelData, and bulk through two joined TCP
// allocations (RFC 6062), with coturn beside it where it is installed. Rounds alternate; medians count.
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { bindUdp, dialTcp, listenTcp } from '../src/net/sockets.js';
import type { Attribute } from '../src/stun/attributes.js';
import { encodeChannelData } from '../src/stun/framing.js';
import { decodeMessage } from '../src/stun/message.js';
import type { MethodName } from '../src/stun/message-type.js';
import { openTurn } from '../src/turn/client.js';
import { Requests } from '../src/turn/requests.js';
import type { TurnServer } from '../src/turn/turn-server.js';
import { type Figure, median } from './figures.js';
import { RelayPipes } from './relay-pipes.js';
import { coturn, cpuUs, ours, type Subject } from './relay-subjects.js';

export const title = 'TURN relay: ChannelData echo and RFC 6062 bulk (relay in its own process, loopback)';

const ROUNDS = 3;
const ECHO_MS = 3_000;
const CLIENTS = 8;
/** Datagrams under way per client: enough to keep the relay busy, few enough to fit into socket buffers. */
const WINDOW = 24;
const DATAGRAM_BYTES = 100;
const CHANNEL = 0x4000;
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

/** Round trips a second, and the relay's CPU time for each of the two datagrams that a round trip is. */
async function echo(relay: Subject): Promise<{ rate: number; cpu: number }> {
  // Clients and peer share one core, as the relay has one: so they are bare sockets, and do next to nothing.
  const peer = await bindUdp({ family: 4, address: '127.0.0.1' });
  peer.setRecvBufferSize(1 << 22);
  peer.on('message', (data, { address, port }) => peer.send(data, port, address));
  const clients: UdpSocket[] = [];
  let echoed = 0;
  let running = true;
  const frame = encodeChannelData(CHANNEL, Buffer.alloc(DATAGRAM_BYTES, 1), false);
  try {
    for (let i = 0; i < CLIENTS; i++) {
      const client = await boundClient(await relay.server('udp', `client-${i}`), peer.address().port);
      client.on('message', () => {
        echoed++;
        if (running) client.send(frame);
      });
      clients.push(client);
    }
    const fill = () => {
      for (const client of clients) for (let i = 0; i < WINDOW; i++) client.send(frame);
    };
    fill();
    await pause(500);
    const [from, cpuFrom, startMs] = [echoed, cpuUs(relay.pid), performance.now()];
    // Loss is UDP's right: when the windows have drained, they are filled again.
    let seen = echoed;
    const refill = setInterval(() => {
      if (echoed === seen) fill();
      seen = echoed;
    }, 50);
    await pause(ECHO_MS);
    const count = echoed - from;
    const elapsedMs = performance.now() - startMs;
    const cpu = (cpuUs(relay.pid) - cpuFrom) / (2 * count);
    clearInterval(refill);
    running = false;
    await pause(100);
    return { rate: (count / elapsedMs) * 1_000, cpu };
  } finally {
    for (const client of clients) client.close();
    peer.close();
  }
}

/** A connected socket whose 5-tuple has an allocation, with the peer on its channel. */
async function boundClient(server: TurnServer, peerPort: number): Promise<UdpSocket> {
  const { host, port } = server.endpoint;
  const socket = await bindUdp({ family: 4, address: '127.0.0.1' });
  socket.setRecvBufferSize(1 << 20);
  const connected = once(socket, 'connect');
  socket.connect(port, host);
  await connected;
  const requests = new Requests({
    server: server.endpoint,
    credentials: { username: server.username, password: server.credential },
    reliable: false,
  });
  const flush = () => {
    for (let bytes = requests.takeOutput(); bytes; bytes = requests.takeOutput()) socket.send(bytes);
  };
  const hear = (bytes: Buffer) => {
    requests.receive(decodeMessage(bytes), performance.now());
    flush();
  };
  socket.on('message', hear);
  const ask = (method: MethodName, attributes: readonly Attribute[]) =>
    new Promise<void>((resolve, reject) => {
      requests.start(performance.now(), method, attributes, outcome => {
        if (outcome.ok) resolve();
        else reject(outcome.error);
      });
      flush();
    });
  await ask('Allocate', [['REQUESTED-TRANSPORT', 17]]);
  const peer: Attribute = ['XOR-PEER-ADDRESS', { host: '127.0.0.1', port: peerPort }];
  await ask('ChannelBind', [['CHANNEL-NUMBER', CHANNEL], peer]);
  socket.off('message', hear);
  return socket;
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
