// The two ends of the pipe benchmarks: nodes, and the same over bare mutual node:tls with the same certificates
// and nothing but a length in front of each message.
import { once } from 'node:events';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import type { Identity } from '../src/identity/keys.js';
import { createNode, type Node } from '../src/node.js';
import { frameHeader, KIND } from '../src/pipe/framing.js';
import { ALPN, tlsCredentials } from '../src/pipe/handshake.js';
import type { Pipe } from '../src/pipe/pipe.js';

const HOST = '127.0.0.1';

/** A node of one's own on loopback, without servers: what every benchmark connects with. */
export function offlineNode(options: { identity?: Identity; listen?: boolean } = {}): Promise<Node> {
  return createNode({ servers: [], host: HOST, ...options });
}

/** `node.connect`, by the first strategy. */
export function openPipe(node: Node, address: string): Promise<Pipe> {
  return node.connect(address, { strategies: ['direct'] });
}

const contexts = new Map<Identity, SecureContext>();

function contextOf(identity: Identity): SecureContext {
  let context = contexts.get(identity);
  if (!context) contexts.set(identity, (context = createSecureContext(tlsCredentials(identity))));
  return context;
}

/** Bare mutual TLS, with the peer's key looked at: what any program that authenticates its peer has to do. */
export async function openTls(identity: Identity, port: number): Promise<TLSSocket> {
  const socket = tlsConnect({
    secureContext: contextOf(identity),
    host: HOST,
    port,
    ALPNProtocols: [ALPN],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  socket.getPeerX509Certificate()!.publicKey.export({ format: 'der', type: 'spki' });
  return socket.setNoDelay();
}

export async function serveTls(identity: Identity, onSocket: (socket: TLSSocket) => void): Promise<number> {
  const server = createServer({
    ...tlsCredentials(identity),
    ALPNProtocols: [ALPN],
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('secureConnection', socket => {
    socket.getPeerX509Certificate()!.publicKey.export({ format: 'der', type: 'spki' });
    socket.setNoDelay().on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

export function framed(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(frameHeader(KIND.message, payload.length));
  return Buffer.concat([header, payload]);
}

/** Bytes resident after everything unused is collected; needs --expose-gc. */
export function restingMemory(): number {
  for (let i = 0; i < 4; i++) (globalThis as { gc?: () => void }).gc!();
  return process.memoryUsage.rss();
}

/** The first message says how many bytes will come; the answer says that they are all here. */
export function sink(answer: () => void): (chunk: Buffer) => void {
  let left = -1;
  return chunk => {
    if (left < 0) left = Number(chunk.toString());
    else if ((left -= chunk.length) === 0) {
      left = -1;
      answer();
    }
  };
}
