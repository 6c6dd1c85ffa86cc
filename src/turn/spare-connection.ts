// A connection to the TURN server that is opened before anything is to be bound to it (RFC 6062 section 4.5):
// when the ConnectionBind can be sent, the way is there. Whoever does not need it closes it unused.
import type { Socket } from 'node:net';
import { abortError } from '../errors.js';
import { openStream } from './server-stream.js';
import type { TurnServer } from './turn-server.js';

export class SpareConnection implements Disposable {
  readonly #given = new AbortController();
  #coming: Promise<Socket | undefined> | undefined;

  constructor(server: TurnServer) {
    this.#coming = openStream(server, this.#given.signal).then(
      socket => socket.on('error', () => {}), // a server may tire of it; `take` sees that it is closed
      () => undefined,
    );
  }

  /** The connection, once; undefined when there is none (any more). @throws WayleaveError the abort error. */
  async take(signal?: AbortSignal | undefined): Promise<Socket | undefined> {
    const coming = this.#coming;
    this.#coming = undefined;
    const onAbort = () => this.#given.abort(abortError(signal!));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const socket = await coming;
    signal?.removeEventListener('abort', onAbort);
    if (!signal?.aborted) return socket?.destroyed || socket?.readableEnded ? undefined : socket;
    socket?.destroy();
    throw abortError(signal);
  }

  [Symbol.dispose](): void {
    this.#given.abort();
    void this.#coming?.then(socket => socket?.destroy());
    this.#coming = undefined;
  }
}
