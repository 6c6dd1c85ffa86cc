// TCP and TLS connections of clients: counted, timed, told apart by their first byte, and served until they
// close or become a peer's raw stream (RFC 8656 section 3.1, RFC 6062 section 5.4).
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { remoteEndpoint } from '../../src/net/sockets.js';
import { FramedStream } from '../../src/stun/framed-stream.js';
import type { Frame } from '../../src/stun/framing.js';
import { sourceOf } from '../source-limiter.js';
import { endAllocation, heldBy, type Session } from './core.js';
import { MAX_UNREAD_BYTES } from './limits.js';
import type { TurnService } from './service.js';

/** The first byte of a TLS record that begins a handshake; as STUN it would be a method that nobody has. */
const TLS_HANDSHAKE = 0x16;

export class StreamPort {
  readonly #service: TurnService;
  readonly #secureContext: (() => SecureContext) | undefined;
  readonly #open = new Set<Socket>();
  readonly #bySource = new Map<string, number>();

  /** @param secureContext with it, every port speaks TLS too, to whoever begins with it; asked for each handshake. */
  constructor(service: TurnService, secureContext: (() => SecureContext) | undefined) {
    this.#service = service;
    this.#secureContext = secureContext;
  }

  /** Serves a connection. What was read from it already must have been put back (`unshift`). */
  take(socket: Socket): void {
    const { limits, counters } = this.#service.core;
    const remote = remoteEndpoint(socket);
    const source = remote && sourceOf(remote.host);
    const ofSource = this.#bySource.get(source ?? '') ?? 0;
    socket.on('error', () => {}); // 'close' follows, and that is what counts
    if (!source || this.#open.size >= limits.connections || ofSource >= limits.connectionsPerSource) {
      counters.rateLimited++;
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#bySource.set(source, ofSource + 1);
    counters.connectionsNow++;
    socket.once('close', () => {
      counters.connectionsNow--;
      this.#open.delete(socket);
      const left = this.#bySource.get(source)! - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    });
    if (!this.#secureContext) return void this.#serve(socket, socket, 'tcp');
    const timer = setTimeout(() => socket.destroy(), limits.idleConnectionMs);
    socket.once('close', () => clearTimeout(timer));
    socket.once('readable', () => {
      clearTimeout(timer);
      const first: Buffer | null = socket.read();
      if (!first) return void socket.destroy(); // closed without a word
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) this.#secure(socket);
      else this.#serve(socket, socket, 'tcp');
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #secure(socket: Socket): void {
    const secure = new TLSSocket(socket, {
      isServer: true,
      ...(this.#secureContext && { secureContext: this.#secureContext() }),
    });
    secure.on('error', () => socket.destroy());
    this.#serve(socket, secure, 'tls');
  }

  #serve(socket: Socket, stream: Socket, transport: 'tcp' | 'tls'): void {
    const remote = remoteEndpoint(socket);
    if (!remote) return void socket.destroy();
    const { core } = this.#service;
    let timer: NodeJS.Timeout | undefined;
    const limitIdleness = () => {
      clearTimeout(timer);
      if (!socket.destroyed) timer = setTimeout(() => socket.destroy(), core.limits.idleConnectionMs);
    };
    limitIdleness();
    socket.once('close', () => clearTimeout(timer));

    const framed = new FramedStream(stream, {
      onFrame: frame => onFrame(frame),
      onClosed: () => {
        if (session.held === 'pending') session.held = undefined;
        endAllocation(core, session);
        socket.destroy();
      },
    });
    const session: Session = {
      held: undefined,
      onEnded: limitIdleness,
      path: {
        transport,
        remote,
        send: bytes => {
          framed.write(bytes);
          if (framed.unsentBytes > MAX_UNREAD_BYTES * 2) socket.destroy();
        },
        sendData: bytes => {
          if (framed.unsentBytes < MAX_UNREAD_BYTES) framed.write(bytes);
          else core.counters.dropped++;
        },
      },
    };
    const onFrame = (frame: Frame) => {
      if (frame.kind === 'channel-data') {
        const allocation = heldBy(session)?.allocation;
        if (allocation?.kind === 'udp') allocation.fromClientChannel(frame.channel, frame.data);
        else core.counters.dropped++;
        return;
      }
      const bound = this.#service.receive(session, frame.bytes);
      if (session.held) clearTimeout(timer);
      if (!bound) return;
      clearTimeout(timer);
      // The answer is written; every byte from here on, either way, is the peer's.
      const raw = framed.release();
      if (!bound.attach(raw)) raw.destroy();
    };
  }
}
