// A punch program at work: sockets, and nothing that decides. Dials go out in their order, those that are reset are
// tried again at random short intervals (two sides that retry in step would miss each other for ever), and every
// connection that comes up is handed out in the order of its arrival. What nobody took is closed at the end.
import type { Socket } from 'node:net';
import { abortError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import { beginDial, listenTcp, remoteEndpoint, type TcpListener } from '../net/sockets.js';
import type { Dial, Program } from './punch-plan.js';

/** Between two tries of one dial that was reset: shorter than most one-way delays, long enough to be no flood. */
const RETRY_MS = { least: 4, most: 24 } as const;
/** SYNs that one side may still send in this attempt; every run of it takes from the same. */
export interface SynAllowance {
  left: number;
}

/** SYNs that one run may send beyond its dials, as retries. */
const MAX_RETRIES = 100;

export interface PunchRunOptions {
  readonly program: Program;
  readonly localAddress: string;
  readonly punchPort: number;
  readonly allowance: SynAllowance;
  /** The address whose connections a listening program takes; others are closed unheard. */
  readonly peerHost: string;
  readonly clock: Clock;
  readonly random: () => number;
}

export class PunchRun implements AsyncDisposable {
  readonly #options: PunchRunOptions;
  readonly #open = new Set<Socket>();
  readonly #arrived: Socket[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #listener: TcpListener | undefined;
  #wake: (() => void) | undefined;
  #syns = 0;
  #over = false;

  constructor(options: PunchRunOptions) {
    this.#options = options;
  }

  /** SYNs sent so far, the kernel's own repetitions aside. */
  get syns(): number {
    return this.#syns;
  }

  /** Sends the first SYN of every dial, then listens if the program says so. */
  async start(signal: AbortSignal): Promise<void> {
    const { program, localAddress, punchPort, peerHost, clock } = this.#options;
    if (program.delayMs > 0) await clock.sleep(program.delayMs, signal);
    for (const dial of program.dials) this.#dial(dial);
    if (!program.listens) return;
    await new Promise(resolve => setImmediate(resolve)); // the kernel refuses a dial from a port that listens
    this.#listener = await listenTcp({ host: localAddress, port: punchPort }, socket => {
      if (remoteEndpoint(socket)?.host === peerHost && !this.#over) this.#up(socket);
      else socket.destroy();
    });
  }

  /** The next connection that has come up or will; the caller owns it. Rejects with the abort error. */
  async next(signal: AbortSignal): Promise<Socket> {
    for (;;) {
      const socket = this.#arrived.shift();
      if (socket) {
        this.#open.delete(socket);
        return socket;
      }
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => reject(abortError(signal));
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        this.#wake = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#open) socket.destroy();
    await this.#listener?.[Symbol.asyncDispose]();
  }

  #dial(dial: Dial): void {
    const { localAddress, punchPort, program, allowance } = this.#options;
    if (this.#over || allowance.left === 0 || this.#syns >= program.dials.length + MAX_RETRIES) return;
    this.#syns++;
    allowance.left--;
    const socket = beginDial({
      remote: dial.remote,
      localAddress,
      localPort: dial.from === 'punch-port' ? punchPort : undefined,
    });
    this.#open.add(socket);
    socket.on('error', () => {}); // `close` follows
    socket.once('connect', () => this.#up(socket));
    socket.once('close', () => {
      if (!this.#open.delete(socket) || this.#arrived.includes(socket)) return;
      const { least, most } = RETRY_MS;
      const timer = setTimeout(
        () => {
          this.#timers.delete(timer);
          this.#dial(dial);
        },
        least + this.#options.random() * (most - least),
      );
      this.#timers.add(timer);
    });
  }

  #up(socket: Socket): void {
    if (this.#over) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#arrived.push(socket);
    this.#wake?.();
    this.#wake = undefined;
  }
}
