// A client of the relay that says exactly what a test wants said: any attributes, any credentials, any order.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createRelay, type Relay, type RelayOptions } from '../../signalling-server/turn/relay.js';
import type { Attribute } from '../../src/stun/attributes.js';
import { type Authorization, authorize } from '../../src/stun/credentials.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import { decodeMessage, type StunMessage } from '../../src/stun/message.js';
import type { MethodName } from '../../src/stun/message-type.js';
import { parseTurnUrl, resolveTurnServer, type TurnServer } from '../../src/turn/turn-server.js';

export function startRelay(options: Partial<RelayOptions> = {}): Promise<Relay> {
  return createRelay({ host: '127.0.0.1', port: 0, allowLoopbackPeers: true, ...options });
}

export function portOf(relay: Relay): number {
  return parseTurnUrl(relay.urls[0]!).port;
}

/** The relay as a client of ours sees it. */
export async function serverOf(
  relay: Relay,
  transport: 'udp' | 'tcp' | 'tls',
  user = 'alice',
  ca?: string,
): Promise<TurnServer> {
  const url = relay.urls.find(each => parseTurnUrl(each).transport === transport)!;
  return (await resolveTurnServer(url, { ...relay.grant(user), tls: { ca } }))[0]!;
}

export const UDP: Attribute = ['REQUESTED-TRANSPORT', 17];
export const TCP: Attribute = ['REQUESTED-TRANSPORT', 6];

export class RawClient implements AsyncDisposable {
  readonly #send: (bytes: Buffer) => void;
  readonly #close: () => void;
  readonly #heard: Buffer[] = [];
  #wake: () => void = () => {};
  authorization: Authorization | undefined;

  private constructor(send: (bytes: Buffer) => void, close: () => void) {
    this.#send = send;
    this.#close = close;
  }

  static async udp(port: number): Promise<RawClient> {
    const socket: UdpSocket = createSocket('udp4');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawClient(
      bytes => socket.send(bytes),
      () => socket.close(),
    );
    socket.on('message', bytes => client.#hear(bytes));
    socket.on('error', () => {});
    return client;
  }

  /** Good for one message at a time: what one read brings is taken for one message. */
  static async tcp(port: number): Promise<RawClient & { socket: Socket }> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawClient(
      bytes => void socket.write(bytes),
      () => socket.destroy(),
    );
    socket.on('data', bytes => client.#hear(bytes));
    socket.on('error', () => {});
    return Object.assign(client, { socket });
  }

  send(bytes: Buffer): void {
    this.#send(bytes);
  }

  /** The next thing heard, or undefined after a while of silence. */
  async hear(ms = 2_000): Promise<Buffer | undefined> {
    if (this.#heard.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
    }
    return this.#heard.shift();
  }

  /** Asks with whatever authorization there is, and returns the answer as it is. */
  async ask(
    method: MethodName | number,
    attributes: readonly Attribute[] = [],
    transactionId = newTransactionId(),
  ): Promise<StunMessage | undefined> {
    const own = this.authorization;
    this.send(
      encodeMessage({
        class: 'request',
        method,
        transactionId,
        attributes: [...attributes, ...(own?.attributes ?? [])],
        integrity: own?.integrity,
      }),
    );
    const bytes = await this.hear();
    return bytes && decodeMessage(bytes);
  }

  /** Earns an authorization by way of the challenge. */
  async login(account: { username: string; credential: string }): Promise<void> {
    this.authorization = undefined;
    const answer = await this.ask('Allocate', [UDP, ['SOFTWARE', 'a raw client']]);
    this.authorization = authorize(answer!, { username: account.username, password: account.credential });
  }

  indicate(attributes: readonly Attribute[]): void {
    const transactionId = newTransactionId();
    this.send(encodeMessage({ class: 'indication', method: 'Send', transactionId, attributes }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #hear(bytes: Buffer): void {
    this.#heard.push(bytes);
    this.#wake();
  }
}

/** A client with a UDP allocation. */
export async function allocatedClient(relay: Relay, user = 'alice'): Promise<RawClient> {
  const client = await RawClient.udp(portOf(relay));
  await client.login(relay.grant(user));
  await client.ask('Allocate', [UDP]);
  return client;
}

export function codeOf(message: StunMessage | undefined): number | 'success' | 'silence' {
  if (!message) return 'silence';
  return message.class === 'error' ? message.get('ERROR-CODE')!.code : 'success';
}
