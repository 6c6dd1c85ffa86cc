// One registered client: what waits for it, how much it may send, when it was last heard. Frames of one turn of
// the event loop leave in one write; a client that does not read is dropped before it costs more than its limit.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { NodeId } from '../src/identity/node-id.js';
import { TokenBucket } from '../src/net/token-bucket.js';
import { CLOSE_CODES, type ServerFrame } from '../src/signalling/frames.js';
import type { Seat } from './backplane/backplane.js';
import type { Counts, CutReason, UndeliveredReason } from './counts.js';
import type { ResolvedServerOptions } from './options.js';
import { asciiJson, textFrame } from './text-frames.js';

/** Refs in one acknowledgement; the client's frame table allows no more. */
const MAX_REFS = 4096;

const CUT_CODES: Partial<Record<CutReason, number>> = {
  'taken-over': CLOSE_CODES.takenOver,
  'protocol-error': CLOSE_CODES.protocolError,
  'too-slow': CLOSE_CODES.tooSlow,
  flooding: CLOSE_CODES.flooding,
  silent: CLOSE_CODES.silent,
  draining: 1001, // RFC 6455, 7.4.1: going away
};

type OnWritten = (error?: Error | null) => void;

export class Client implements Seat {
  readonly id: NodeId;
  readonly way: string;
  /** The IP address that it connected from. */
  readonly seenFrom: string;
  /** Start of every delivery from this client; only the box is missing. */
  readonly deliveryHead: string;
  lastHeardAt: number;
  pingedAt = 0;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #heldBytes: number;
  readonly #counts: Counts;
  readonly #bucket: TokenBucket;
  readonly #patience: TokenBucket;
  readonly #onDirty: (client: Client) => void;
  /** Frames of this turn of the event loop, one byte a character. */
  #gathered = '';
  /** Who wants to know when they are written. */
  #awaitWrite: OnWritten[] | undefined;
  readonly #acknowledged: number[] = [];
  #refused: Map<UndeliveredReason, number[]> | undefined;
  #dirty = false;
  #held = false;
  #cutFor: CutReason | undefined;

  constructor(
    { id, way }: { id: NodeId; way: string },
    seenFrom: string,
    { socket, stream }: { socket: WebSocket; stream: Duplex },
    options: ResolvedServerOptions,
    counts: Counts,
    now: number,
    /** Called once before each `flush` that is due. */
    onDirty: (client: Client) => void,
  ) {
    this.id = id;
    this.way = way;
    this.seenFrom = seenFrom;
    // id and address hold no character that JSON would escape
    this.deliveryHead = `{"type":"deliver","from":"${id}","seenFrom":"${seenFrom}","box":"`;
    this.lastHeardAt = now;
    this.#socket = socket;
    this.#stream = stream;
    this.#heldBytes = options.heldBytesPerClient;
    this.#counts = counts;
    const { messagesPerSecond, messageBurst, floodFactor } = options;
    this.#bucket = new TokenBucket(messagesPerSecond, messageBurst, now);
    this.#patience = new TokenBucket(messagesPerSecond * floodFactor, messageBurst * floodFactor, now);
    this.#onDirty = onDirty;
  }

  /** Whether it may send one more message now. One that goes far beyond its rate is cut off. */
  maySend(now: number): boolean {
    if (this.#bucket.take(now)) return true;
    if (!this.#patience.take(now)) this.cut('flooding', 'far too many messages');
    return false;
  }

  /** Text in ASCII. */
  push(ascii: string, onWritten?: OnWritten): 'sent' | 'not-here' | 'too-slow' {
    if (this.#cutFor || this.#socket.readyState !== this.#socket.OPEN) return 'not-here';
    const frame = textFrame(ascii);
    if (!this.#hasRoom(frame.length)) {
      this.cut('too-slow', 'you do not read what is sent to you');
      return 'too-slow';
    }
    this.#gathered += frame;
    this.#markDirty();
    if (onWritten) (this.#awaitWrite ??= []).push(onWritten);
    return 'sent';
  }

  tell(frame: ServerFrame): void {
    this.push(asciiJson(frame));
  }

  acknowledge(ref: number): void {
    this.#acknowledged.push(ref);
    this.#markDirty();
    if (this.#acknowledged.length >= MAX_REFS) this.#writeAcknowledgements();
  }

  refuse(ref: number, reason: UndeliveredReason): void {
    this.#refused ??= new Map();
    const refs = this.#refused.get(reason);
    if (refs) refs.push(ref);
    else this.#refused.set(reason, [ref]);
    this.#markDirty();
    if ((refs?.length ?? 0) >= MAX_REFS) this.#writeAcknowledgements();
  }

  /** Holds back what is pushed, in its order: the welcome must not come before it is true everywhere. */
  holdUntil(done: Promise<void>): void {
    this.#held = true;
    void done.then(() => {
      this.#held = false;
      this.flush();
    });
  }

  /** Writes what has gathered in this turn of the event loop. */
  flush(): void {
    if (this.#held) return;
    this.#writeAcknowledgements();
    this.#writeGathered();
    this.#dirty = false;
  }

  takenOver(): void {
    this.cut('taken-over', 'this identity has registered again');
  }

  ping(now: number): void {
    this.pingedAt = now;
    this.#socket.ping();
  }

  /** Bytes that wait for it. */
  get heldBytes(): number {
    return this.#stream.writableLength + this.#gathered.length;
  }

  get isCut(): boolean {
    return this.#cutFor !== undefined;
  }

  /** Why the server ended the connection, if it did. */
  get cutFor(): CutReason | undefined {
    return this.#cutFor;
  }

  /** Ends the connection: with a close frame where the client still reads, at once where it does not. */
  cut(reason: CutReason, words: string): void {
    if (this.#cutFor) return;
    this.#cutFor = reason;
    this.#counts.cut[reason]++;
    this.#writeGathered();
    if (reason === 'too-slow' || reason === 'silent') this.#socket.terminate();
    else this.#socket.close(CUT_CODES[reason] ?? CLOSE_CODES.protocolError, words);
  }

  #hasRoom(bytes: number): boolean {
    if (this.heldBytes + bytes <= this.#heldBytes) return true;
    this.#writeGathered(); // what only waits for the end of this turn is not held against the client
    return this.heldBytes + bytes <= this.#heldBytes;
  }

  #writeAcknowledgements(): void {
    if (this.#acknowledged.length > 0) {
      this.push(`{"type":"sent","refs":[${this.#acknowledged.join()}]}`);
      this.#acknowledged.length = 0;
    }
    if (!this.#refused) return;
    for (const [reason, refs] of this.#refused) {
      this.push(`{"type":"undelivered","refs":[${refs.join()}],"reason":"${reason}"}`);
    }
    this.#refused = undefined;
  }

  #markDirty(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#onDirty(this);
  }

  #writeGathered(): void {
    if (this.#gathered === '') return;
    const waiting = this.#awaitWrite;
    this.#stream.write(
      this.#gathered,
      'latin1',
      waiting && (error => waiting.forEach(tell => void tell(error))),
    );
    this.#gathered = '';
    this.#awaitWrite = undefined;
  }
}
