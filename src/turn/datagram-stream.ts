// An ordered, reliable stream over a UDP allocation, for TURN servers that relay no TCP: the `udx-native`
// package brings retransmission and congestion control, and its packets travel as the channel's datagrams.
// udx owns its sockets, so a pair of them on loopback stands between it and the TURN client.
import type { Socket as UdpSocket } from 'node:dgram';
import { Duplex } from 'node:stream';
import { WayleaveError } from '../errors.js';
import { type Endpoint, sameEndpoint } from '../net/endpoint.js';
import { bindUdp } from '../net/sockets.js';
import { optionalPackage } from '../optional-package.js';
import type { TurnClient } from './client.js';

/** Which end this is: stream ids must differ, and both must know them. */
export type DatagramRole = 'initiator' | 'responder';

const STREAM_IDS = { initiator: 1, responder: 2 } as const;

/** udx probes for larger packets than its 1,200 bytes; with TURN's header they would be fragmented: let them drop. */
const MAX_DATAGRAM_BYTES = 1_300;

/** How long the last acknowledgement is awaited from an end that has said goodbye: it may be gone already. */
const FLUSH_MS = 2_000;
/** How long the sockets stay after the stream: the last acknowledgement is still on its way through them. */
const LINGER_MS = 100;

// What is used of udx-native, which brings no types.
interface UdxStream {
  connect(socket: UdxSocket, remoteId: number, port: number, host: string): void;
  write(chunk: Buffer): boolean;
  end(): void;
  destroy(error?: Error): void;
  pause(): void;
  resume(): void;
  flush(): Promise<boolean>;
  on(event: 'data', listener: (chunk: Buffer) => void): this;
  on(event: 'end' | 'drain' | 'finish' | 'close', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  once(event: 'drain' | 'finish' | 'close', listener: () => void): this;
}
interface UdxSocket {
  bind(port: number, host: string): void;
  address(): { port: number };
  close(): Promise<void>;
}
interface Udx {
  createSocket(): UdxSocket;
  createStream(id: number): UdxStream;
}

/** @throws WayleaveError `missing-package` */
async function loadUdx(): Promise<new () => Udx> {
  const name = 'udx-native'; // by variable: it brings no types to check
  const load = async () => ((await import(name)) as { default: new () => Udx }).default;
  return await optionalPackage(name, 'this TURN server relays datagrams only', load);
}

/**
 * The stream to a peer that opens its half the same way, with the other role. The peer must have been given a
 * channel (or a permission), and the client's datagrams from it are taken over. The stream owns neither.
 * @throws WayleaveError `missing-package` or `listen-failed`
 */
export async function openDatagramStream(
  client: TurnClient,
  peer: Endpoint,
  role: DatagramRole,
): Promise<Duplex> {
  const UdxClass = await loadUdx();
  const bridge = await bindUdp({ family: 4, address: '127.0.0.1' });
  const udx = new UdxClass();
  const socket = udx.createSocket();
  socket.bind(0, '127.0.0.1');
  const { port } = socket.address();
  bridge.on('message', (data, from) => {
    if (from.port === port && data.length <= MAX_DATAGRAM_BYTES) client.send(peer, data);
  });
  client.onData = (from, data) => {
    if (sameEndpoint(from, peer)) bridge.send(Buffer.from(data), port, '127.0.0.1', () => {});
  };
  const stream = udx.createStream(STREAM_IDS[role]);
  const remoteId = STREAM_IDS[role === 'initiator' ? 'responder' : 'initiator'];
  stream.connect(socket, remoteId, bridge.address().port, '127.0.0.1');
  return new DatagramStream(stream, () => release(client, socket, bridge));
}

async function release(client: TurnClient, socket: UdxSocket, bridge: UdpSocket): Promise<void> {
  client.onData = () => {};
  await socket.close().catch(() => {});
  bridge.close();
}

class DatagramStream extends Duplex {
  readonly #stream: UdxStream;
  readonly #release: () => Promise<void>;
  #closed = false;

  constructor(stream: UdxStream, release: () => Promise<void>) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#release = release;
    stream.on('data', chunk => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.on('end', () => this.push(null));
    stream.on('error', cause => {
      this.destroy(
        new WayleaveError('connection-lost', `the stream through the relay broke: ${cause.message}`, {
          cause,
        }),
      );
    });
    stream.on('close', () => {
      this.#closed = true;
      this.destroy();
    });
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#stream.write(chunk)) done();
    else this.#stream.once('drain', done);
  }

  override _final(done: () => void): void {
    let timer: NodeJS.Timeout | undefined;
    let finished = false;
    const finish = () => {
      clearTimeout(timer);
      if (!finished) done();
      finished = true;
    };
    this.#stream.once('finish', finish); // all of it is acknowledged
    this.#stream.once('close', finish);
    const limit = () => {
      if (!finished) timer = setTimeout(finish, FLUSH_MS);
    };
    if (this.readableEnded) limit();
    else this.once('end', limit);
    this.#stream.end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const finish = () => setTimeout(() => void this.#release().then(() => done(error)), LINGER_MS);
    if (this.#closed) return void finish();
    this.#stream.once('close', finish);
    this.#stream.destroy();
  }
}
