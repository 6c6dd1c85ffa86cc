// Many TCP connections over one pipe, sans I/O: told what sockets and the pipe did, it says what to send next.
// Each connection has a credit window each way, so one that is not read holds up nobody else and its buffers are
// bounded; what is owed to the peer (credit, end, reset) is kept as state of the connection, never as a queue, so
// a peer that floods and does not read costs no memory. Connections take turns, a frame each.
//
// A connection's number is free again when both sides have said their last word on it (end or reset). The near
// end opens them, so the far end never counts more of them than the near end does.
import {
  decodeMuxFrame,
  encodeMuxFrame,
  MAX_DATA_BYTES,
  type MuxFrame,
  muxFault,
} from './port-mux-frames.js';

/** 512 KiB a connection each way: 5 MB/s at a round trip of 100 ms, and what a stalled reader may hold. */
export const WINDOW_BYTES = 512 * 1024;
/** 128 at once: a browser opens 6 a site. With the window it bounds the memory of a pipe. */
export const MAX_CONNECTIONS = 128;
/** What a data frame costs of a window besides its bytes: a window of single bytes must not become 100 MB of objects. */
const FRAME_COST_BYTES = 64;
/** 64 KiB of a socket wait for their turn or for credit before the socket is paused. */
const QUEUE_BYTES = 64 * 1024;

/** What the driver has to do with its socket. Credit needs nothing: `next` will have more to send. */
export type MuxEvent = Exclude<MuxFrame, { type: 'credit' }>;

interface Connection {
  readonly id: number;
  /** Bytes from the local socket, in order; `queuedBytes` in all. */
  readonly queue: Buffer[];
  queuedBytes: number;
  /** What we may still send, and what the peer may still send. */
  sendCredit: number;
  receiveCredit: number;
  /** Taken by the local socket and not yet granted anew. */
  owedCredit: number;
  /** Owed words, and whether our last word is said. */
  owesOpen: boolean;
  owesEnd: boolean;
  owesReset: boolean;
  localDone: boolean;
  /** One of the two sockets is gone before its time: what still comes is dropped. */
  broken: boolean;
  /** The peer has said its last word. */
  remoteDone: boolean;
}

export class PortMux {
  readonly #side: 'near' | 'far';
  readonly #connections = new Map<number, Connection>();
  /** Those that have something to send, in the order of their turns. */
  readonly #turns = new Set<Connection>();
  #lastId = 0;

  /** `near` opens connections, `far` is told of them. */
  constructor(side: 'near' | 'far') {
    this.#side = side;
  }

  /** Connections that are not wholly over. */
  get size(): number {
    return this.#connections.size;
  }

  get mayOpen(): boolean {
    return this.size < MAX_CONNECTIONS && this.#lastId < 0xffff_ffff;
  }

  /** The near end has a new connection; only while `mayOpen`. */
  open(): number {
    const connection = this.#add(++this.#lastId);
    connection.owesOpen = true;
    this.#turn(connection);
    return connection.id;
  }

  /** Bytes from the local socket. When `wants` turns false, the socket should pause. */
  write(id: number, bytes: Buffer): void {
    const connection = this.#connections.get(id);
    if (!connection || connection.owesEnd || connection.broken || connection.localDone) return;
    connection.queue.push(bytes);
    connection.queuedBytes += bytes.length;
    this.#turn(connection);
  }

  /** Whether the connection has room for more of what its local socket has. */
  wants(id: number): boolean {
    return (this.#connections.get(id)?.queuedBytes ?? 0) < QUEUE_BYTES;
  }

  /** The local socket will send no more. */
  end(id: number): void {
    const connection = this.#connections.get(id);
    if (!connection || connection.broken || connection.localDone) return;
    connection.owesEnd = true;
    this.#turn(connection);
  }

  /** The local socket is gone before its time: what it has not sent yet is dropped. */
  reset(id: number): void {
    const connection = this.#connections.get(id);
    if (!connection || connection.broken) return;
    breakOff(connection);
    if (connection.owesOpen) this.#forget(connection);
    else {
      connection.owesReset = true;
      this.#turn(connection);
    }
  }

  /** The local socket took the bytes of one data event. */
  consumed(id: number, bytes: Buffer): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    connection.owedCredit += bytes.length + FRAME_COST_BYTES;
    this.#turn(connection);
  }

  /** The next message for the pipe, or undefined when there is nothing to send for now. */
  next(): { readonly message: Buffer; readonly id: number } | undefined {
    for (const connection of this.#turns) {
      this.#turns.delete(connection);
      const frame = nextFrame(connection);
      if (!frame) continue;
      this.#turn(connection);
      this.#settle(connection);
      return { message: encodeMuxFrame(frame), id: connection.id };
    }
    return undefined;
  }

  /**
   * A message came from the peer's mux. Data bytes are a view of it.
   * @throws WayleaveError `protocol-error`; the mux is of no use afterwards.
   */
  received(message: Buffer): MuxEvent | undefined {
    const frame = decodeMuxFrame(message);
    if (frame.type === 'open') return this.#opened(frame);
    const connection = this.#connections.get(frame.id);
    if (connection) return this.#apply(connection, frame);
    const known = frame.id > 0 && frame.id <= this.#lastId;
    if (known && (frame.type === 'credit' || frame.type === 'reset')) return undefined; // crossed our last word
    throw muxFault(`${frame.type} for connection ${frame.id}, which is not open`);
  }

  #opened(frame: MuxEvent & { type: 'open' }): MuxEvent {
    if (this.#side === 'near') throw muxFault('an open, which only the near end may');
    if (frame.id <= this.#lastId) throw muxFault(`connection ${frame.id} a second time`);
    if (this.size >= MAX_CONNECTIONS) throw muxFault(`more than ${MAX_CONNECTIONS} connections`);
    this.#lastId = frame.id;
    this.#add(frame.id);
    return frame;
  }

  #apply(connection: Connection, frame: Exclude<MuxFrame, { type: 'open' }>): MuxEvent | undefined {
    if (frame.type === 'credit') {
      connection.sendCredit += frame.count;
      if (frame.count === 0 || connection.sendCredit > WINDOW_BYTES)
        throw muxFault('a credit beyond measure');
      this.#turn(connection);
      return undefined;
    }
    if (frame.type === 'reset') return this.#wasReset(connection, frame);
    if (connection.remoteDone) throw muxFault(`${frame.type} after the end`);
    if (frame.type === 'data') {
      connection.receiveCredit -= frame.bytes.length + FRAME_COST_BYTES;
      if (connection.receiveCredit < 0) throw muxFault('more data than it had credit for');
    } else {
      connection.remoteDone = true;
    }
    this.#settle(connection);
    return connection.broken ? undefined : frame;
  }

  #wasReset(connection: Connection, frame: MuxEvent): MuxEvent | undefined {
    const wasBroken = connection.broken;
    connection.remoteDone = true;
    breakOff(connection);
    connection.owesReset = !connection.localDone; // the last word on our side
    this.#turn(connection);
    this.#settle(connection);
    return wasBroken ? undefined : frame;
  }

  #add(id: number): Connection {
    const connection: Connection = {
      id,
      queue: [],
      queuedBytes: 0,
      sendCredit: WINDOW_BYTES,
      receiveCredit: WINDOW_BYTES,
      owedCredit: 0,
      owesOpen: false,
      owesEnd: false,
      owesReset: false,
      localDone: false,
      broken: false,
      remoteDone: false,
    };
    this.#connections.set(id, connection);
    return connection;
  }

  /** Puts it in line, unless it has nothing to say. */
  #turn(connection: Connection): void {
    if (hasWord(connection)) this.#turns.add(connection);
  }

  #settle(connection: Connection): void {
    if (connection.localDone && connection.remoteDone) this.#forget(connection);
  }

  #forget(connection: Connection): void {
    this.#turns.delete(connection);
    this.#connections.delete(connection.id);
  }
}

/** Lets go of everything from the local socket that is not yet sent. */
function breakOff(connection: Connection): void {
  connection.broken = true;
  connection.queue.length = 0;
  connection.queuedBytes = 0;
  connection.owesEnd = false;
}

/** Credit goes out in strides of half a window; to a peer that has ended it is of no use. */
function creditDue({ owedCredit, remoteDone, broken }: Connection): boolean {
  return owedCredit * 2 >= WINDOW_BYTES && !remoteDone && !broken;
}

function hasWord(connection: Connection): boolean {
  const { owesOpen, owesReset, owesEnd, queuedBytes } = connection;
  return owesOpen || owesReset || creditDue(connection) || (queuedBytes > 0 ? maySend(connection) : owesEnd);
}

function maySend({ sendCredit }: Connection): boolean {
  return sendCredit > FRAME_COST_BYTES;
}

/** What this connection says now that it is its turn; its state afterwards counts that as said. */
function nextFrame(connection: Connection): MuxFrame | undefined {
  const { id } = connection;
  if (connection.owesOpen) {
    connection.owesOpen = false;
    return { type: 'open', id };
  }
  if (connection.owesReset) {
    connection.owesReset = false;
    connection.localDone = true;
    return { type: 'reset', id };
  }
  if (creditDue(connection)) {
    const count = connection.owedCredit;
    connection.owedCredit = 0;
    connection.receiveCredit += count;
    return { type: 'credit', id, count };
  }
  if (connection.queuedBytes > 0) {
    return maySend(connection) ? { type: 'data', id, bytes: takeData(connection) } : undefined;
  }
  if (!connection.owesEnd) return undefined;
  connection.owesEnd = false;
  connection.localDone = true;
  return { type: 'end', id };
}

function takeData(connection: Connection): Buffer {
  const first = connection.queue[0]!;
  const count = Math.min(first.length, connection.sendCredit - FRAME_COST_BYTES, MAX_DATA_BYTES);
  if (count === first.length) connection.queue.shift();
  else connection.queue[0] = first.subarray(count);
  connection.queuedBytes -= count;
  connection.sendCredit -= count + FRAME_COST_BYTES;
  return first.subarray(0, count);
}
