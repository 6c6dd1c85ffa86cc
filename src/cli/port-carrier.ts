// The thin part of a forwarding: moves bytes between TCP sockets and the mux, and the mux's frames through the
// pipe. It owns the sockets: when the pipe ends, every one of them is reset, for nobody knows what got through.
import type { Socket } from 'node:net';
import type { Pipe } from '../pipe/pipe.js';
import { type MuxEvent, PortMux } from './port-mux.js';

export interface PortCarrierOptions {
  /** The far end: makes the connection that the near end asks for. Its rejection resets that connection. */
  readonly dial?: (signal: AbortSignal) => Promise<Socket>;
  /** The near end: room for another connection may have come. */
  readonly onRoom?: () => void;
  /** The peer broke a connection off before its first byte. */
  readonly onRejected?: () => void;
}

/** One connection: its socket, or, while it is being dialled, what already came for it. */
interface Link {
  socket: Socket | undefined;
  readonly early: Buffer[];
  ended: boolean;
  heard: boolean;
  readonly dialling: AbortController;
}

export class PortCarrier {
  readonly #pipe: Pipe;
  readonly #options: PortCarrierOptions;
  readonly #mux: PortMux;
  readonly #links = new Map<number, Link>();
  #flushing = false;

  constructor(pipe: Pipe, options: PortCarrierOptions) {
    this.#pipe = pipe;
    this.#options = options;
    this.#mux = new PortMux(options.dial ? 'far' : 'near');
  }

  get mayAdd(): boolean {
    return this.#mux.mayOpen;
  }

  /** The near end: carries this socket, and owns it; only while `mayAdd`. */
  add(socket: Socket): void {
    const id = this.#mux.open();
    this.#attach(id, this.#link(id), socket);
    void this.#flush();
  }

  /** Carries until the pipe ends, for whatever reason (`pipe.closed` tells). Never rejects. */
  async run(): Promise<void> {
    try {
      for await (const message of this.#pipe) {
        const event = this.#mux.received(message);
        if (event) this.#apply(event);
        void this.#flush();
        this.#options.onRoom?.();
      }
    } catch (error) {
      await this.#pipe.close((error as Error).message); // a fault of the peer's mux; else it has ended already
    } finally {
      for (const link of this.#links.values()) cut(link);
      this.#links.clear();
    }
  }

  #apply(event: MuxEvent): void {
    const { id, type } = event;
    if (type === 'open') {
      void this.#dial(id, this.#link(id));
      return;
    }
    const link = this.#links.get(id);
    if (!link) return;
    if (type === 'data') {
      link.heard = true;
      if (link.socket) this.#give(id, link.socket, event.bytes);
      else link.early.push(event.bytes);
    } else if (type === 'end') {
      link.ended = true;
      link.socket?.end();
    } else {
      if (!link.heard) this.#options.onRejected?.();
      this.#links.delete(id);
      cut(link);
    }
  }

  #link(id: number): Link {
    const dialling = new AbortController();
    const link: Link = { socket: undefined, early: [], ended: false, heard: false, dialling };
    this.#links.set(id, link);
    return link;
  }

  async #dial(id: number, link: Link): Promise<void> {
    try {
      const socket = await this.#options.dial!(link.dialling.signal);
      if (link.dialling.signal.aborted) socket.resetAndDestroy();
      else this.#attach(id, link, socket);
    } catch {
      if (this.#links.delete(id)) this.#mux.reset(id);
      void this.#flush();
    }
  }

  #attach(id: number, link: Link, socket: Socket): void {
    link.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#mux.write(id, bytes);
      if (!this.#mux.wants(id)) socket.pause();
      void this.#flush();
    });
    socket.once('end', () => {
      this.#mux.end(id);
      void this.#flush();
    });
    socket.on('error', () => {}); // `close` follows
    socket.once('close', () => {
      this.#links.delete(id);
      if (!socket.readableEnded || !socket.writableFinished) this.#mux.reset(id);
      void this.#flush();
      this.#options.onRoom?.();
    });
    for (const bytes of link.early.splice(0)) this.#give(id, socket, bytes);
    if (link.ended) socket.end();
  }

  /** Credit is granted when the system has taken the bytes, not before: that is what bounds our memory. */
  #give(id: number, socket: Socket, bytes: Buffer): void {
    socket.write(bytes, error => {
      if (error) return;
      this.#mux.consumed(id, bytes);
      void this.#flush();
    });
  }

  /** Sends what the mux has, one message after the other, as fast as the pipe takes them. */
  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      for (let turn = this.#mux.next(); turn; turn = this.#mux.next()) {
        await this.#pipe.send(turn.message);
        const socket = this.#links.get(turn.id)?.socket;
        if (socket?.isPaused() && this.#mux.wants(turn.id)) socket.resume();
      }
    } catch {
      // the pipe has ended: `run` hears of it too
    } finally {
      this.#flushing = false;
    }
  }
}

/** A dial under way is given up with a plain close: nothing was sent through it that a reset would have to revoke. */
function cut({ socket, early, dialling }: Link): void {
  early.length = 0;
  dialling.abort();
  socket?.resetAndDestroy();
}
