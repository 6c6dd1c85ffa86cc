// The two ends of the pipe benchmarks at the level of src/pipe, and the same over bare mutual node:tls with the
// same certificates and nothing but a length in front of each message.
import { once } from 'node:events';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import type { Identity } from '../src/identity/keys.js';
import type { NodeId } from '../src/identity/node-id.js';
import { dialTcp, listenTcp, localEndpoint, remoteEndpoint } from '../src/net/sockets.js';
import { FrameDecoder, frameHeader, KIND } from '../src/pipe/framing.js';
import { ALPN, type Secured, secure, tlsCredentials } from '../src/pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../src/pipe/opening.js';
import { Pipe } from '../src/pipe/pipe.js';

const HOST = '127.0.0.1';

export async function openPipe(identity: Identity, port: number, expected: NodeId): Promise<Pipe> {
  const raw = await dialTcp({ remote: { host: HOST, port } });
  const secured = await secure(raw, identity, { role: 'client', expected });
  await sendHello(secured, { purpose: 'open', attempt: 'bench' }, { waitForAccept: true });
  return pipeOn(secured, 'outbound');
}

export async function servePipes(identity: Identity, onPipe: (pipe: Pipe) => void): Promise<number> {
  const { port } = await listenTcp({ host: HOST }, async raw => {
    const secured = await secure(raw, identity, { role: 'server' });
    await receiveHello(secured);
    accept(secured);
    onPipe(pipeOn(secured, 'inbound'));
  });
  return port;
}

function pipeOn(secured: Secured, direction: 'inbound' | 'outbound'): Pipe {
  const local = localEndpoint(secured.socket)!;
  const remote = remoteEndpoint(secured.socket)!;
  return new Pipe(secured, { direction, route: { strategy: 'direct', local, remote } });
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

/** Calls back with every framed message on a bare socket. */
export function onFramed(socket: TLSSocket, onMessage: (message: Buffer) => void): void {
  const decoder = new FrameDecoder();
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame; frame = decoder.next()) onMessage(frame.payload);
  });
}

/** Bytes resident after everything unused is collected; needs --expose-gc. */
export function restingMemory(): number {
  for (let i = 0; i < 4; i++) (globalThis as { gc?: () => void }).gc!();
  return process.memoryUsage.rss();
}
