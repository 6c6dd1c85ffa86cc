// A TCP or TLS connection that carries STUN messages and ChannelData, until RFC 6062 turns it into a raw
// stream (RFC 8489 section 6.2.2, RFC 8656 section 12.5, RFC 6062 section 4.3). Both ends of TURN use it.
import type { Socket } from 'node:net';
import { DecodeError, WayleaveError } from '../errors.js';
import { type Frame, StreamFramer } from './framing.js';

export interface FrameEvents {
  /** Frames are views of what arrived. */
  onFrame(frame: Frame): void;
  /** The stream is gone; said once, and not after `close` or `release`. */
  onClosed(error: WayleaveError): void;
}

/** Cuts a stream into frames until it is closed, or released to whoever wants the raw bytes. */
export class FramedStream {
  readonly #socket: Socket;
  readonly #framer: StreamFramer;
  readonly #events: FrameEvents;
  #state: 'framed' | 'raw' | 'closed' = 'framed';

  /** @param maxFrameBytes a larger frame ends the connection; default: 65,555, all that the formats can say. */
  constructor(socket: Socket, events: FrameEvents, maxFrameBytes?: number) {
    this.#framer = new StreamFramer(maxFrameBytes);
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
      this.#lost(new WayleaveError('protocol-error', 'what arrived is neither STUN nor ChannelData'));
    }
  };

  readonly #onError = (cause: NodeJS.ErrnoException) => {
    const text = `the connection broke: ${cause.code ?? cause.message}`;
    this.#lost(new WayleaveError('connection-lost', text, { cause }));
  };

  readonly #onEnd = () =>
    this.#lost(new WayleaveError('connection-lost', 'the other side closed the connection'));

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
