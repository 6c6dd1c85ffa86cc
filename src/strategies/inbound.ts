// The node's listening port: proves who connects, hears what for, and hands the link on: a new pipe, or the
// dial-back that an attempt of ours is waiting for. Whoever does not get through the handshake in time, is not
// admitted, or belongs to no attempt is turned away.
import type { Socket } from 'node:net';
import { abortError, WayleaveError } from '../errors.js';
import { publish } from '../events.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import { Scope } from '../net/scope.js';
import { endsOf, listenTcp, remoteEndpoint, type TcpListener } from '../net/sockets.js';
import { secure } from '../pipe/handshake.js';
import { accept, receiveHello, refuse } from '../pipe/opening.js';
import type { Link } from './strategy.js';

export interface InboundOptions {
  readonly identity: Identity;
  readonly host?: string | undefined;
  /** 0: any free port. Null: do not listen at all; dial-backs are then impossible as well. */
  readonly port: number | null;
  readonly handshakeTimeoutMs: number;
  /** Most connections that may be in their handshake at once; more are closed unheard. */
  readonly maxHandshakes: number;
  /** Whether a peer may open a pipe to us. */
  admit(peer: NodeId): boolean | Promise<boolean>;
  /** A peer was admitted and its connection nominated. */
  onOpen(link: Link): void;
}

/** A dial-back that is waited for; disposing it stops the waiting. */
export interface ExpectedDialBack extends Disposable {
  link(signal: AbortSignal): Promise<Link>;
}

export class Inbound implements AsyncDisposable {
  readonly #options: InboundOptions;
  readonly #scope = new Scope();
  readonly #expected = new Map<string, { peer: NodeId; arrived: (link: Link) => void }>();
  #listener: TcpListener | undefined;
  #handshakes = 0;

  private constructor(options: InboundOptions) {
    this.#options = options;
  }

  /** @throws WayleaveError `listen-failed`. */
  static async listen(options: InboundOptions): Promise<Inbound> {
    const inbound = new Inbound(options);
    const { host, port } = options;
    if (port !== null) {
      const onConnection = (socket: Socket) => inbound.receive(socket);
      inbound.#listener = inbound.#scope.use(await listenTcp({ host, port }, onConnection));
    }
    return inbound;
  }

  /** The listening port, or null. */
  get port(): number | null {
    return this.#listener?.port ?? null;
  }

  /** From now on, a dial-back of this peer for this attempt is kept for whoever asks for the link. */
  expect(attempt: string, peer: NodeId): ExpectedDialBack {
    let early: Link | undefined;
    let deliver = (link: Link) => {
      early = link;
    };
    const arrived = (link: Link) => {
      this.#expected.delete(attempt);
      deliver(link);
    };
    this.#expected.set(attempt, { peer, arrived });
    return {
      link: signal =>
        new Promise((resolve, reject) => {
          if (signal.aborted) return reject(abortError(signal));
          const onAbort = () => {
            deliver = link => {
              early = link;
            };
            reject(abortError(signal));
          };
          deliver = link => {
            signal.removeEventListener('abort', onAbort);
            early = undefined;
            resolve(link);
          };
          signal.addEventListener('abort', onAbort, { once: true });
          if (early) deliver(early);
        }),
      [Symbol.dispose]: () => {
        this.#expected.delete(attempt);
        early?.secured.socket.destroy();
      },
    };
  }

  /** Takes a connection to our port, or to one that is held open for it elsewhere. Never throws. */
  receive(socket: Socket): void {
    void this.#receive(socket);
  }

  async #receive(socket: Socket): Promise<void> {
    if (this.#handshakes >= this.#options.maxHandshakes) {
      socket.destroy();
      return;
    }
    const remote = remoteEndpoint(socket);
    const forget = this.#scope.defer(() => socket.destroy());
    this.#handshakes++;
    try {
      await this.#greet(socket);
    } catch (error) {
      const silent = socket.bytesRead === 0;
      socket.destroy();
      const code = error instanceof WayleaveError ? error.code : String(error);
      // Who leaves without a word is no peer: a port scanner, or a server that proves a port of ours to be open.
      if (silent && code === 'handshake-failed') return;
      publish('inbound-rejected', { remote, code });
    } finally {
      this.#handshakes--;
      forget();
    }
  }

  async #greet(socket: Socket): Promise<void> {
    const ends = endsOf(socket);
    const { identity, handshakeTimeoutMs: timeoutMs, admit, onOpen } = this.#options;
    const { signal } = this.#scope;
    const secured = await secure(socket, identity, { role: 'server', signal, timeoutMs });
    const hello = await receiveHello(secured, { signal, timeoutMs });
    const link: Link = { secured, ...ends, nominate: async () => accept(secured) };
    if (hello.purpose === 'dial-back') {
      const expected = this.#expected.get(hello.attempt);
      if (expected?.peer === secured.peer) expected.arrived(link);
      else await refuse(secured, 'nobody waits for this dial-back');
      return;
    }
    if (!(await admit(secured.peer))) return refuse(secured, 'this node does not admit you');
    if (signal.aborted) throw abortError(signal);
    accept(secured);
    onOpen(link);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
  }
}
