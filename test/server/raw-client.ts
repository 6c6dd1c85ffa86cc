// A client that speaks the frames by hand, so that it can also speak them badly; and plain sockets that can do worse.
import { connect, type Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import { createIdentity, type Identity, signFor } from '../../src/identity/keys.js';
import type { Scope } from '../../src/net/scope.js';
import { registrationProof, type ServerFrame } from '../../src/signalling/frames.js';

export const MESSAGE = Buffer.from('a sealed box, for all the server knows').toString('base64');

export class RawClient {
  readonly socket: WebSocket;
  readonly identity: Identity;
  readonly frames: ServerFrame[] = [];
  /** The close code. */
  readonly closed: Promise<number>;
  readonly #waiters = new Set<() => void>();

  constructor(
    scope: Scope,
    url: string,
    identity = createIdentity(),
    headers: Record<string, string> = {},
    options: ClientOptions = {},
  ) {
    this.identity = identity;
    // who it is that it talks to is not what its tests are about
    const lenient = { perMessageDeflate: false, rejectUnauthorized: false };
    this.socket = new WebSocket(url, { headers, ...lenient, ...options });
    scope.defer(() => this.socket.terminate());
    this.socket.on('error', () => {});
    this.socket.on('message', data => {
      this.frames.push(JSON.parse(data.toString()));
      for (const wake of [...this.#waiters]) wake();
    });
    this.closed = new Promise(resolve => this.socket.once('close', resolve));
  }

  get id(): string {
    return this.identity.id;
  }

  say(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  post(to: string, ref: number, box = MESSAGE): void {
    this.say({ type: 'send', ref, to, box });
  }

  /** The first frame of this type, past or to come. Rejects when the connection ends without it. */
  async heard<Type extends ServerFrame['type']>(type: Type): Promise<Extract<ServerFrame, { type: Type }>> {
    for (;;) {
      const frame = this.frames.find(candidate => candidate.type === type);
      if (frame) return frame as Extract<ServerFrame, { type: Type }>;
      const gone = this.closed.then(code => Promise.reject(new Error(`closed with ${code} before ${type}`)));
      await Promise.race([new Promise<void>(resolve => this.#waiters.add(resolve)), gone]);
    }
  }

  async register({ host = new URL(this.socket.url).host } = {}): Promise<this> {
    const { nonce } = await this.heard('challenge');
    const signature = signFor('register/1', this.identity, registrationProof(nonce, host)).toString(
      'base64url',
    );
    this.say({ type: 'register', id: this.id, host, signature });
    await this.heard('welcome');
    return this;
  }

  /** Every ref acknowledged so far. */
  get sent(): number[] {
    return this.frames.flatMap(frame => (frame.type === 'sent' ? frame.refs : []));
  }

  /** Every ref reported back for this reason so far. */
  undelivered(reason: string): number[] {
    return this.frames.flatMap(f => (f.type === 'undelivered' && f.reason === reason ? f.refs : []));
  }

  get deliveries(): Extract<ServerFrame, { type: 'deliver' }>[] {
    return this.frames.filter(frame => frame.type === 'deliver');
  }
}

/** A TCP connection; `ended` resolves with all that it heard, when the other side has ended it. */
export async function rawSocket(
  scope: Scope,
  url: string,
): Promise<{ socket: Socket; ended: Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  scope.defer(() => socket.destroy());
  let text = '';
  socket.on('data', data => {
    text += data.toString('latin1');
  });
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return { socket, ended: new Promise(resolve => socket.once('close', () => resolve(text))) };
}

/** The value of one metric line, like `wayleave_clients` or `wayleave_connections_cut_total{reason="silent"}`. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(url)).text();
  const line = text.split('\n').find(candidate => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}
