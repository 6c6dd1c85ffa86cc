// A client of the server under test on a bare socket: upgrades, registers, then hands over frames unparsed.
import { connect, type Socket } from 'node:net';
import { createIdentity, type Identity, signFor } from '../../src/identity/keys.js';
import { registrationProof } from '../../src/signalling/frames.js';
import { addressed, LETTER_BYTES, writeLetter } from './letter.js';
import { type FrameHandler, FrameReader, maskedText, PONG, upgradeRequest } from './wire.js';

/** One for all: what is read is looked at before anything else is. */
const READ_BUFFER = Buffer.alloc(65_536);

export interface ThinClientOptions {
  readonly url: string;
  /** One of 127.0.0.0/8: each has ports of its own. */
  readonly localAddress: string;
  readonly identity?: Identity;
  /** Its number in its crowd. */
  readonly index?: number;
  /** False: a bare echo server, which wants no registration. */
  readonly registers?: boolean;
  /** Frames after the welcome. */
  readonly onText?: (payload: Buffer, client: ThinClient) => void;
  readonly onEnd?: (client: ThinClient) => void;
}

export class ThinClient implements FrameHandler, Disposable {
  readonly identity: Identity;
  readonly index: number;
  /** Its id, as letters to it have it. */
  readonly addressed: Buffer;
  /** It was told to wait for its turn. */
  waited = false;
  /** Registered, and the connection lives. */
  open = false;
  readonly socket: Socket;
  readonly #options: ThinClientOptions;
  readonly #frames = new FrameReader();
  #letters: { to: Buffer; number: number }[] = [];
  #isUpgraded = false;
  #settle: ((error?: Error) => void) | undefined;

  private constructor(options: ThinClientOptions) {
    this.#options = options;
    this.identity = options.identity ?? createIdentity();
    this.index = options.index ?? 0;
    this.addressed = addressed(this.identity.id);
    const { hostname, port } = new URL(options.url);
    this.socket = connect({
      host: hostname,
      port: Number(port),
      localAddress: options.localAddress,
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: bytes => {
          this.#read(READ_BUFFER.subarray(0, bytes));
          return true;
        },
      },
    });
  }

  /** Connects and registers. Rejects when the connection ends before. */
  static async connect(options: ThinClientOptions): Promise<ThinClient> {
    const client = new ThinClient(options);
    await client.#registered();
    return client;
  }

  /** Queues a letter for the next `flush`; true: it is the first of them. */
  post(to: ThinClient, number: number): boolean {
    return this.#letters.push({ to: to.addressed, number }) === 1;
  }

  /** All that is queued, in one write. */
  flush(): void {
    const out = Buffer.allocUnsafe(this.#letters.length * LETTER_BYTES);
    let at = 0;
    for (const { to, number } of this.#letters) {
      writeLetter(out, at, to, number);
      at += LETTER_BYTES;
    }
    this.#letters = [];
    if (this.open) this.socket.write(out);
  }

  onText(payload: Buffer): void {
    if (this.open) this.#options.onText?.(payload, this);
    else this.#introduced(payload);
  }

  onPing(): void {
    this.socket.write(PONG);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #registered(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = error => {
        this.#settle = undefined;
        if (error) reject(error);
        else resolve();
      };
      this.socket.on('error', (error: NodeJS.ErrnoException) => this.#settle?.(new Error(error.code)));
      this.socket.on('close', () => {
        const wasOpen = this.open;
        this.open = false;
        this.#settle?.(new Error('closed'));
        if (wasOpen) this.#options.onEnd?.(this);
      });
      this.socket.write(upgradeRequest(new URL(this.#options.url)));
    });
  }

  #read(bytes: Buffer): void {
    if (this.#isUpgraded) this.#frames.read(bytes, this);
    else this.#upgraded(bytes);
  }

  #upgraded(answer: Buffer): void {
    const end = answer.indexOf('\r\n\r\n');
    const status = answer.toString('latin1', 9, 12);
    if (end < 0 || status !== '101') {
      this.#settle?.(new Error(`HTTP ${status}`));
      this.socket.destroy();
      return;
    }
    this.#isUpgraded = true;
    if (this.#options.registers === false) this.#isOpen();
    if (end + 4 < answer.length) this.#frames.read(answer.subarray(end + 4), this);
  }

  #introduced(payload: Buffer): void {
    const frame = JSON.parse(payload.toString());
    if (frame.type === 'wait') this.waited = true;
    else if (frame.type === 'welcome') this.#isOpen();
    else if (frame.type === 'challenge') {
      const { host } = new URL(this.#options.url);
      const proof = registrationProof(frame.nonce, host);
      const signature = signFor('register/1', this.identity, proof).toString('base64url');
      const { id } = this.identity;
      this.socket.write(maskedText(JSON.stringify({ type: 'register', id, host, signature })));
    }
  }

  #isOpen(): void {
    this.open = true;
    this.#settle?.();
  }
}
