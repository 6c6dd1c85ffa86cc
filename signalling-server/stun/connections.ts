// The TCP side of the STUN server: every connection is held open for as long as its client wants the mapping
// behind it, within bounds on number, idleness and unread answers (RFC 8489 section 6.2.2).
import type { Socket } from 'node:net';
import { DecodeError } from '../../src/errors.js';
import type { Clock } from '../../src/net/clock.js';
import type { Endpoint } from '../../src/net/endpoint.js';
import { remoteEndpoint } from '../../src/net/sockets.js';
import { StreamFramer } from '../../src/stun/framing.js';
import { decodeMessage, isBindingRequest } from '../../src/stun/message.js';
import { type SourceLimit, SourceLimiter, sourceOf } from '../source-limiter.js';
import { type Asked, answerTo, type Corner, dialBackAnswer, type StunSite } from './answers.js';
import { dialBack } from './dial-back.js';

export interface ConnectionLimits {
  /** Dial-backs for one source, each up to eight SYNs to that source. */
  readonly dialBack: SourceLimit;
  /** Connections altogether. */
  readonly connections: number;
  /** Connections of one source. */
  readonly connectionsPerSource: number;
  /** A connection that has not sent a whole request after this time is closed. */
  readonly firstRequestMs: number;
  /** A connection without a request for this long is closed. */
  readonly idleMs: number;
}

/** Far more than any request of ours, far less than what STUN could announce. */
const MAX_REQUEST_BYTES = 4_096;
/** Answers that the client does not read; beyond this it is cut off. */
const MAX_UNREAD_BYTES = 16_384;
const DIAL_BACKS_AT_ONCE = 2;

interface Parts {
  readonly site: StunSite;
  /** What the two addresses are bound to. */
  readonly hosts: readonly string[];
  readonly limits: ConnectionLimits;
  readonly counters: Record<'requests' | 'answers' | 'malformed' | 'rateLimited' | 'refused', number> &
    Record<'connections' | 'dialBacks' | 'bytesIn' | 'bytesOut', number>;
  readonly clock: Clock;
  readonly admits: (host: string) => boolean;
  /** Takes over connections that turn out to want something else than Binding; their bytes are put back. */
  readonly handOver?: ((socket: Socket) => void) | undefined;
}

/** The first byte of TLS: no STUN method of anybody's begins like this. */
const TLS_HANDSHAKE = 0x16;

export class StunConnections implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #open = new Set<Socket>();
  readonly #bySource = new Map<string, number>();
  readonly #dialBacks: SourceLimiter;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#dialBacks = new SourceLimiter(parts.limits.dialBack, parts.clock.now);
  }

  /** Serves a fresh connection that arrived at this corner, or closes it at once when there are too many. */
  take(socket: Socket, at: Corner): void {
    const from = remoteEndpoint(socket);
    const { limits, counters, admits } = this.#parts;
    const source = from && sourceOf(from.host);
    const ofSource = this.#bySource.get(source ?? '') ?? 0;
    socket.on('error', () => {}); // 'close' follows, and that is what counts
    if (this.#closed) return void socket.destroy();
    if (
      !from ||
      !source ||
      !admits(from.host) ||
      this.#open.size >= limits.connections ||
      ofSource >= limits.connectionsPerSource
    ) {
      counters.refused++;
      socket.destroy();
      return;
    }
    counters.connections++;
    this.#open.add(socket);
    this.#bySource.set(source, ofSource + 1);
    const ended = new AbortController();
    const leave = () => {
      if (ended.signal.aborted) return;
      ended.abort();
      this.#open.delete(socket);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    };
    socket.once('close', leave);
    this.#serve(socket, from, at, ended.signal, leave);
  }

  /** How many are open and ours. */
  get size(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const closing = [...this.#open].map(
      socket => new Promise<void>(resolve => socket.once('close', () => resolve()).destroy()),
    );
    await Promise.all(closing);
  }

  #serve(socket: Socket, from: Endpoint, at: Corner, ended: AbortSignal, leave: () => void): void {
    const { limits, counters, handOver } = this.#parts;
    const framer = new StreamFramer(MAX_REQUEST_BYTES);
    let dialling = 0;
    // Two clocks: bytes that trickle in without ever making a request do not count as life.
    let deadline = setTimeout(() => socket.destroy(), limits.firstRequestMs);
    ended.addEventListener('abort', () => clearTimeout(deadline), { once: true });
    const send = (bytes: Buffer) => {
      if (socket.destroyed) return;
      counters.answers++;
      counters.bytesOut += bytes.length;
      socket.write(bytes);
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
    };
    const request = async (bytes: Buffer) => {
      counters.requests++;
      clearTimeout(deadline);
      deadline = setTimeout(() => socket.destroy(), limits.idleMs);
      if (ended.aborted) clearTimeout(deadline);
      const asked: Asked = { message: decodeMessage(bytes), from, at, transport: 'tcp' };
      const answer = answerTo(asked, this.#parts.site);
      if (!answer) return;
      if ('send' in answer) return send(answer.send);
      if (dialling >= DIAL_BACKS_AT_ONCE || !this.#dialBacks.admit(from.host)) {
        counters.rateLimited++;
        return send(dialBackAnswer(asked, this.#parts.site, { outcome: 'not-tried', tries: 0 }));
      }
      dialling++;
      counters.dialBacks++;
      const result = await dialBack(
        answer.to,
        this.#address(socket, at, answer.dialBack),
        this.#parts.clock,
        ended,
      );
      dialling--;
      send(dialBackAnswer(asked, this.#parts.site, result));
    };
    const fail = (error: unknown) => {
      if (!(error instanceof DecodeError)) throw error;
      counters.malformed++;
      socket.destroy();
    };
    const give = (bytes: Buffer) => {
      if (!handOver) return void socket.destroy();
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
      leave();
      socket.unshift(bytes);
      handOver(socket);
    };
    const onData = (chunk: Buffer) => {
      counters.bytesIn += chunk.length;
      try {
        if (handOver && chunk[0] === TLS_HANDSHAKE && framer.empty) return give(chunk);
        framer.push(chunk);
        for (let frame = framer.next(); frame; frame = framer.next()) {
          if (frame.kind !== 'stun') return void socket.destroy();
          if (handOver && !isBindingRequest(frame.bytes))
            return give(Buffer.concat([frame.bytes, framer.rest()]));
          request(frame.bytes).catch(fail);
        }
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = () => socket.end();
    socket.on('data', onData);
    socket.once('end', onEnd);
  }

  // From the address of the corner; the port is any free one, for ours are taken by listening.
  #address(socket: Socket, at: Corner, corner: Corner): string | undefined {
    return corner.host === at.host ? socket.localAddress : this.#parts.hosts[corner.host];
  }
}
