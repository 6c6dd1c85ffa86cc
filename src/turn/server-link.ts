// The way to a TURN server, over UDP, TCP or TLS, as something that carries STUN messages and ChannelData
// (RFC 8656 section 3.1).
import { once } from 'node:events';
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { formatEndpoint } from '../net/endpoint.js';
import { familyOf } from '../net/ip-scope.js';
import { bindUdp } from '../net/sockets.js';
import { FramedStream, type FrameEvents } from '../stun/framed-stream.js';
import { decodeChannelData, type Frame } from '../stun/framing.js';
import { openStream } from './server-stream.js';
import type { TurnServer } from './turn-server.js';

/** What a stream may keep for a server that does not read; beyond it datagrams are dropped, as UDP would. */
const MAX_UNSENT_BYTES = 1 << 20;

export interface ServerLink {
  /** TCP or TLS. */
  readonly reliable: boolean;
  send(bytes: Buffer): void;
  /** Like `send`, for what may be lost when the way is jammed. */
  sendDatagram(bytes: Buffer): void;
  close(): void;
}

/** Opens the link. @throws WayleaveError `dial-failed`, `listen-failed` or the signal's abort error. */
export async function openLink(
  server: TurnServer,
  events: FrameEvents,
  signal?: AbortSignal | undefined,
): Promise<ServerLink> {
  if (server.transport === 'udp') return openDatagrams(server, events, signal);
  const stream = new FramedStream(await openStream(server, signal), events);
  return {
    reliable: true,
    send: bytes => stream.write(bytes),
    sendDatagram: bytes => {
      if (stream.unsentBytes < MAX_UNSENT_BYTES) stream.write(bytes);
    },
    close: () => stream.close(),
  };
}

async function openDatagrams(
  server: TurnServer,
  events: FrameEvents,
  signal: AbortSignal | undefined,
): Promise<ServerLink> {
  const { host, port } = server.endpoint;
  const socket = await bindUdp({ family: familyOf(host) });
  const unreachable = (cause: unknown) =>
    new WayleaveError('dial-failed', `no UDP to ${formatEndpoint(server.endpoint)}`, { cause });
  try {
    if (signal?.aborted) throw abortError(signal);
    // Connected: the kernel drops what others send, and reports a closed port.
    const connected = once(socket, 'connect');
    socket.connect(port, host);
    await connected;
  } catch (cause) {
    socket.close();
    throw cause instanceof WayleaveError ? cause : unreachable(cause);
  }
  let state: 'silent' | 'heard' | 'closed' = 'silent';
  const close = () => {
    if (state !== 'closed') socket.close();
    state = 'closed';
  };
  socket.on('message', bytes => {
    if (state === 'closed') return;
    state = 'heard';
    const frame = datagramFrame(bytes);
    if (frame) events.onFrame(frame);
  });
  socket.on('error', cause => {
    // After an answer an ICMP error may be anybody's; before it, it saves half a minute of waiting.
    if (state !== 'silent') return;
    close();
    events.onClosed(unreachable(cause));
  });
  const send = (bytes: Buffer) => {
    if (state !== 'closed') socket.send(bytes, () => {}); // lost requests are sent again; lost data is UDP's way
  };
  return { reliable: false, send, sendDatagram: send, close };
}

function datagramFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0]! < 0x40) return { kind: 'stun', bytes };
  try {
    return { kind: 'channel-data', ...decodeChannelData(bytes) };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
