// Echo datagrams through a relay by ChannelData: what one core of it carries, and what each costs. The load comes from one
// other core, so it is bare connected sockets that do next to nothing.
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Endpoint } from '../src/net/endpoint.js';
import { bindUdp } from '../src/net/sockets.js';
import type { Attribute } from '../src/stun/attributes.js';
import { encodeChannelData } from '../src/stun/framing.js';
import { decodeMessage, looksLikeStun, type StunMessage } from '../src/stun/message.js';
import type { MethodName } from '../src/stun/message-type.js';
import { Requests } from '../src/turn/requests.js';
import type { TurnServer } from '../src/turn/turn-server.js';
import { cpuUs, type Subject } from './relay-subjects.js';

const ECHO_MS = 3_000;
const CLIENTS = 8;
/** Datagrams under way per client: enough to keep the relay busy, few enough to fit into socket buffers. */
const WINDOW = 24;
export const DATAGRAM_BYTES = 100;
const CHANNEL = 0x4000;
const LOCAL = '127.0.0.1';

/** Round trips a second, and the relay's CPU time for each of the two datagrams that a round trip is. */
export async function echo(relay: Subject): Promise<{ rate: number; cpu: number }> {
  const pairs: Pair[] = [];
  let echoed = 0;
  let running = true;
  const frame = encodeChannelData(CHANNEL, Buffer.alloc(DATAGRAM_BYTES, 1), false);
  try {
    for (let i = 0; i < CLIENTS; i++) {
      const pair = await clientAndPeer(await relay.server('udp', `client-${i}`));
      const { client, peer } = pair;
      peer.on('message', data => peer.send(data));
      client.on('message', () => {
        echoed++;
        if (running) client.send(frame);
      });
      pairs.push(pair);
    }
    const fill = () => {
      for (const { client } of pairs) for (let i = 0; i < WINDOW; i++) client.send(frame);
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
    for (const { client, peer, release } of pairs) {
      await release(); // the next round may draw the same port
      client.close();
      peer.close();
    }
  }
}

/** A socket whose 5-tuple has an allocation, and one that is on its channel as the peer. */
interface Pair {
  readonly client: UdpSocket;
  readonly peer: UdpSocket;
  release(): Promise<void>;
}

async function clientAndPeer(server: TurnServer): Promise<Pair> {
  const [client, peer] = [await connected(server.endpoint), await bindUdp({ family: 4, address: LOCAL })];
  const requests = new Requests({
    server: server.endpoint,
    credentials: { username: server.username, password: server.credential },
    reliable: false,
  });
  const flush = () => {
    for (let bytes = requests.takeOutput(); bytes; bytes = requests.takeOutput()) client.send(bytes);
  };
  const hear = (bytes: Buffer) => {
    if (!looksLikeStun(bytes)) return;
    requests.receive(decodeMessage(bytes), performance.now());
    flush();
  };
  client.on('message', hear);
  const ask = (method: MethodName, attributes: readonly Attribute[]) =>
    new Promise<StunMessage>((resolve, reject) => {
      requests.start(performance.now(), method, attributes, outcome => {
        if (outcome.ok) resolve(outcome.message);
        else reject(outcome.error);
      });
      flush();
    });
  const allocated = await ask('Allocate', [['REQUESTED-TRANSPORT', 17]]);
  const at: Attribute = ['XOR-PEER-ADDRESS', { host: LOCAL, port: peer.address().port }];
  await ask('ChannelBind', [['CHANNEL-NUMBER', CHANNEL], at]);
  client.off('message', hear);
  await connect(peer, allocated.get('XOR-RELAYED-ADDRESS')!);
  const release = async () => {
    client.removeAllListeners('message').on('message', hear);
    await ask('Refresh', [['LIFETIME', 0]]);
  };
  return { client, peer, release };
}

async function connected(to: Endpoint): Promise<UdpSocket> {
  return await connect(await bindUdp({ family: 4, address: LOCAL }), to);
}

async function connect(socket: UdpSocket, { host, port }: Endpoint): Promise<UdpSocket> {
  socket.setRecvBufferSize(1 << 20);
  const done = once(socket, 'connect');
  socket.connect(port, host);
  await done;
  return socket;
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
