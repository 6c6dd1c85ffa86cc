// The connection to an MQTT broker, over TCP, TLS or WebSocket (MQTT 3.1.1, section 6), as one stream of packets none
// of which is too long. What speaks MQTT on it is broker-session.ts.
import { Duplex } from 'node:stream';
import { WayleaveError } from '../errors.js';
import { dialHost } from '../net/sockets.js';
import { secureClient } from '../net/tls-client.js';
import { MAX_PARCEL_BYTES } from './broker-parcel.js';
import { guardedLookup } from './guarded-lookup.js';
import { PacketGate } from './packet-gate.js';
import { hostOf } from './server-url.js';

/** A parcel, its topic and an identifier, with room for topics to grow. */
const MAX_PACKET_BYTES = MAX_PARCEL_BYTES + 1024;
/**
 * One WebSocket message holds at least a whole packet at most brokers, and is read whole before the gate can pass it
 * over: so much is held for a moment at the most.
 */
const MAX_WEBSOCKET_MESSAGE_BYTES = 2 * 1024 * 1024;

export interface BrokerStreamOptions {
  /** As `parseServerUrl` gave it. */
  readonly url: string;
  readonly signal: AbortSignal;
  /** Whether the host's name may lead to this IP address. Default: to any. */
  readonly admitAddress?: ((ip: string) => boolean) | undefined;
}

/** @throws WayleaveError `server-unreachable`, or the signal's abort error. */
export async function dialBroker(options: BrokerStreamOptions): Promise<Duplex> {
  const { url, signal } = options;
  try {
    const inner = url.startsWith('ws') ? await dialWebSocket(options) : await dialSocket(options);
    return new GatedStream(inner, new PacketGate(MAX_PACKET_BYTES));
  } catch (error) {
    if (signal.aborted) throw error;
    throw new WayleaveError('server-unreachable', `${url}: ${whatFailed(error as Error)}`, { cause: error });
  }
}

function whatFailed(error: Error): string {
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return code ?? message;
}

async function dialSocket({ url, signal, admitAddress }: BrokerStreamOptions): Promise<Duplex> {
  const secure = url.startsWith('mqtts');
  const host = hostOf(url);
  const port = Number(new URL(url).port || (secure ? 8883 : 1883));
  const lookup = admitAddress && guardedLookup(admitAddress);
  const socket = await dialHost({ host, port, lookup }, signal);
  return secure ? await secureClient(socket, { name: host, where: url, signal }) : socket;
}

async function dialWebSocket({ url, signal, admitAddress }: BrokerStreamOptions): Promise<Duplex> {
  const { WebSocket, createWebSocketStream } = await import('ws');
  const socket = new WebSocket(url, ['mqtt'], {
    ...(admitAddress && { lookup: guardedLookup(admitAddress) }),
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
  });
  const stream = createWebSocketStream(socket);
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      stream.destroy();
      reject(signal.reason);
    };
    const settle = (then: () => void) => () => {
      signal.removeEventListener('abort', onAbort);
      then();
    };
    socket.once('open', settle(resolve));
    stream.once('error', error => settle(() => reject(error))());
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  return stream;
}

class GatedStream extends Duplex {
  readonly #inner: Duplex;

  constructor(inner: Duplex, gate: PacketGate) {
    super();
    this.#inner = inner;
    inner.on('data', (chunk: Buffer) => {
      try {
        const { bytes, acknowledgements } = gate.feed(chunk);
        // by our own writing end, where they cannot get into the middle of another packet
        for (const packet of acknowledgements) this.write(packet);
        if (bytes.length > 0 && !this.push(Buffer.concat(bytes))) inner.pause();
      } catch (error) {
        this.destroy(error as Error);
      }
    });
    inner.on('end', () => this.push(null));
    inner.on('error', error => this.destroy(error));
    inner.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#inner.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#inner.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}
