// A TCP or TLS connection to a TURN server, and the frames on it (RFC 8656 section 3.1, RFC 8489 section
// 6.2.2), until RFC 6062 turns it into a raw stream.
import { isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { formatEndpoint } from '../net/endpoint.js';
import { dialTcp } from '../net/sockets.js';
import { StreamFramer } from '../stun/framing.js';
import type { LinkEvents } from './server-link.js';
import type { TurnServer } from './turn-server.js';

/** Connects. @throws WayleaveError `dial-failed` or the signal's abort error. */
export async function openStream(server: TurnServer, signal?: AbortSignal | undefined): Promise<Socket> {
  const socket = await dialTcp({ remote: server.endpoint, signal });
  if (server.transport !== 'tls') return socket;
  const { servername = server.endpoint.host, ca, verify = true } = server.tls ?? {};
  socket.on('error', () => {}); // the TLS socket on top reports it
  const secure = tlsConnect({
    socket,
    host: servername, // what the certificate is checked against, address or name; SNI takes names only
    ...(isIP(servername) ? {} : { servername }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: verify,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: WayleaveError) => {
      signal?.removeEventListener('abort', onAbort);
      secure.off('close', onClose);
      secure.destroy();
      reject(error);
    };
    const refuse = (cause?: Error) => {
      const why = cause?.message ?? 'the connection was closed';
      const text = `no TLS with the TURN server ${formatEndpoint(server.endpoint)}: ${why}`;
      fail(new WayleaveError('dial-failed', text, { cause }));
    };
    const onAbort = () => fail(abortError(signal!));
    const onClose = () => refuse();
    secure.on('error', refuse); // stays as the listener of last resort; rejecting twice does nothing
    secure.once('close', onClose);
    secure.once('secureConnect', () => {
      signal?.removeEventListener('abort', onAbort);
      secure.off('close', onClose);
      secure.off('error', refuse);
      resolve(secure);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

/** Cuts a stream into frames until it is closed, or released to whoever wants the raw bytes. */
export class FramedStream {
  readonly #socket: Socket;
  readonly #framer = new StreamFramer();
  readonly #events: LinkEvents;
  #state: 'framed' | 'raw' | 'closed' = 'framed';

  constructor(socket: Socket, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('readable', this.#onReadable);
    socket.on('error', this.#onError);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
  }

  write(bytes: Buffer): void {
    if (this.#state === 'framed' && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Bytes that the other side has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Hands the socket over, with what has arrived behind the last frame put back in front. */
  release(): Socket {
    this.#state = 'raw';
    this.#unlisten();
    const rest = this.#framer.rest();
    if (rest.length > 0) this.#socket.unshift(rest);
    return this.#socket;
  }

  close(): void {
    if (this.#state !== 'framed') return;
    this.#state = 'closed';
    this.#unlisten();
    this.#socket.on('error', () => {});
    this.#socket.end(); // what was written last, a Refresh perhaps, still goes out
    this.#socket.destroySoon();
  }

  readonly #onReadable = () => {
    try {
      for (let chunk: Buffer | null; this.#state === 'framed' && (chunk = this.#socket.read()); ) {
        this.#framer.push(chunk);
        // A frame may be the one after which everything is raw: look again before each.
        for (
          let frame = this.#framer.next();
          frame;
          frame = this.#state === 'framed' ? this.#framer.next() : undefined
        ) {
          this.#events.onFrame(frame);
        }
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#lost(
        new WayleaveError('protocol-error', 'the TURN server sent what is neither STUN nor ChannelData'),
      );
    }
  };

  readonly #onError = (cause: NodeJS.ErrnoException) => {
    const text = `the connection to the TURN server broke: ${cause.code ?? cause.message}`;
    this.#lost(new WayleaveError('connection-lost', text, { cause }));
  };

  readonly #onEnd = () =>
    this.#lost(new WayleaveError('connection-lost', 'the TURN server closed the connection'));

  #lost(error: WayleaveError): void {
    if (this.#state !== 'framed') return;
    this.#state = 'closed';
    this.#unlisten();
    this.#socket.on('error', () => {});
    this.#socket.destroy();
    this.#events.onClosed(error);
  }

  #unlisten(): void {
    this.#socket.off('readable', this.#onReadable);
    this.#socket.off('error', this.#onError);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
  }
}
