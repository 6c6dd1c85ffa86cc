// A program that runs on hosts of a world and does with plain sockets what it is told, one JSON command a
// line: the laboratory's instrument for measuring itself, without a line of the product.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

export type Transport = 'tcp' | 'udp';
export interface Place {
  readonly host: string;
  readonly port: number;
}

export type ProberCommand = { readonly id: number } & (
  | { readonly do: 'listen'; readonly transport: Transport; readonly at: Place }
  /** Contacts `to` from `from` and keeps the socket. Answers with how we look from there. */
  | {
      readonly do: 'reach';
      readonly transport: Transport;
      readonly from: Place;
      readonly to: Place;
      readonly timeoutMs: number;
    }
  /** Sends a datagram from a UDP socket that listens. */
  | { readonly do: 'send'; readonly from: Place; readonly to: Place; readonly text: string }
  /** Whether this text came in at that UDP socket within the time. */
  | { readonly do: 'heard'; readonly at: Place; readonly text: string; readonly timeoutMs: number }
  /** Sends over a TCP connection made by `reach`, and whether it comes back within the time. */
  | { readonly do: 'echo'; readonly from: Place; readonly to: Place; readonly timeoutMs: number }
);

export interface ProberReply {
  readonly id: number;
  /** `open`: it worked; otherwise an error code, or `timeout`. */
  readonly outcome: string;
  /** The source address and port that the other side saw. */
  readonly seenAs?: Place;
}

type Outcome = Omit<ProberReply, 'id'>;

const udpSockets = new Map<
  string,
  { socket: UdpSocket; heard: Set<string>; listeners: Set<(text: string) => void> }
>();
const keyOf = ({ host, port }: Place) => `${host} ${port}`;
const tcpSockets = new Map<string, ReturnType<typeof connect>>();

function udpAt(at: Place): Promise<UdpSocket> {
  const { host, port } = at;
  const known = udpSockets.get(keyOf(at));
  if (known) return Promise.resolve(known.socket);
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  const entry = { socket, heard: new Set<string>(), listeners: new Set<(text: string) => void>() };
  udpSockets.set(keyOf(at), entry);
  socket.on('error', () => {});
  socket.on('message', (data, { address, port: fromPort }) => {
    const text = data.toString();
    if (text === 'who am I?')
      socket.send(JSON.stringify({ host: address, port: fromPort }), fromPort, address);
    entry.heard.add(text);
    for (const listener of entry.listeners) listener(text);
  });
  return new Promise(resolve => socket.bind(port, host, () => resolve(socket)));
}

function awaitUdp(
  at: Place,
  wanted: (text: string) => boolean,
  timeoutMs: number,
): Promise<string | undefined> {
  const entry = udpSockets.get(keyOf(at))!;
  const past = [...entry.heard].find(wanted);
  if (past !== undefined) return Promise.resolve(past);
  return new Promise(resolve => {
    const settle = (text?: string) => {
      clearTimeout(timer);
      entry.listeners.delete(listener);
      resolve(text);
    };
    const listener = (text: string) => wanted(text) && settle(text);
    const timer = setTimeout(settle, timeoutMs);
    entry.listeners.add(listener);
  });
}

async function reachUdp(from: Place, to: Place, timeoutMs: number): Promise<Outcome> {
  const socket = await udpAt(from);
  udpSockets.get(keyOf(from))!.heard.clear();
  socket.send('who am I?', to.port, to.host);
  const answer = await awaitUdp(from, text => text.startsWith('{'), timeoutMs);
  return answer === undefined
    ? { outcome: 'timeout' }
    : { outcome: 'open', seenAs: JSON.parse(answer) as Place };
}

function reachTcp(from: Place, to: Place, timeoutMs: number): Promise<Outcome> {
  return new Promise(resolve => {
    const socket = connect({ ...to, localAddress: from.host, localPort: from.port });
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ outcome: 'timeout' });
    }, timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve({ outcome: error.code ?? 'error' });
    });
    socket.once('data', data => {
      clearTimeout(timer);
      tcpSockets.set(JSON.stringify([from, to]), socket);
      resolve({ outcome: 'open', seenAs: JSON.parse(data.toString()) as Place });
    });
  });
}

async function listen(transport: Transport, at: Place): Promise<Outcome> {
  if (transport === 'udp') {
    await udpAt(at);
    return { outcome: 'open' };
  }
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.write(JSON.stringify({ host: socket.remoteAddress, port: socket.remotePort }));
    socket.on('data', data => socket.write(data));
  });
  return new Promise(resolve => {
    server.on('error', (error: NodeJS.ErrnoException) => resolve({ outcome: error.code ?? 'error' }));
    server.listen(at.port, at.host, () => resolve({ outcome: 'open' }));
  });
}

function echo(from: Place, to: Place, timeoutMs: number): Promise<Outcome> {
  const socket = tcpSockets.get(JSON.stringify([from, to]))!;
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve({ outcome: 'timeout' }), timeoutMs);
    socket.once('data', () => {
      clearTimeout(timer);
      resolve({ outcome: 'open' });
    });
    socket.write('hello again');
  });
}

async function obey(command: ProberCommand): Promise<Outcome> {
  switch (command.do) {
    case 'listen':
      return listen(command.transport, command.at);
    case 'reach': {
      const { transport, from, to, timeoutMs } = command;
      return transport === 'udp' ? reachUdp(from, to, timeoutMs) : reachTcp(from, to, timeoutMs);
    }
    case 'send':
      (await udpAt(command.from)).send(command.text, command.to.port, command.to.host);
      return { outcome: 'open' };
    case 'heard': {
      const text = await awaitUdp(command.at, each => each === command.text, command.timeoutMs);
      return { outcome: text === undefined ? 'timeout' : 'open' };
    }
    case 'echo':
      return echo(command.from, command.to, command.timeoutMs);
  }
}

createInterface({ input: process.stdin }).on('line', async line => {
  const command = JSON.parse(line) as ProberCommand;
  process.stdout.write(`${JSON.stringify({ id: command.id, ...(await obey(command)) })}\n`);
});
