// The channel to one self-hosted server: frames over a connection that is kept (kept-connection.ts) and registered
// (registration.ts). The server says of every box whether it handed it on.
import { WayleaveError } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { Clock } from '../net/clock.js';
import type { OnSignallingEvent, Parcel, Recipient, SignallingChannel } from './channel.js';
import type { ClientFrames, Greeting, ServerFrame } from './frames.js';
import { KeptConnection } from './kept-connection.js';
import { Listeners } from './listeners.js';
import { register, type ServerSession } from './registration.js';

export interface WebSocketChannelOptions {
  /** As `parseServerUrl` gave it. */
  readonly url: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly onEvent: OnSignallingEvent;
  /** Whether the host's name may lead to this IP address. Default: to any. */
  readonly admitAddress?: ((ip: string) => boolean) | undefined;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export class WebSocketChannel implements SignallingChannel {
  readonly url: string;
  readonly #onEvent: OnSignallingEvent;
  readonly #parcels: Listeners<[Parcel]>;
  readonly #greetings: Listeners<[Greeting]>;
  readonly #kept: KeptConnection<ServerSession, number, ClientFrames['send']>;
  #greeting: Greeting | undefined;
  #nextRef = 1;

  constructor(options: WebSocketChannelOptions) {
    const { url, clock, onEvent, random } = options;
    this.url = url;
    this.#onEvent = onEvent;
    const onError = (error: unknown) => onEvent({ event: 'handler-failed', error });
    this.#parcels = new Listeners(onError);
    this.#greetings = new Listeners(onError);
    const onGreeting = (greeting: Greeting) => this.#welcomed(greeting);
    const onFrame = (frame: ServerFrame | undefined) => this.#received(frame);
    this.#kept = new KeptConnection({
      url,
      clock,
      onEvent,
      random,
      open: signal => register({ ...options, signal, onGreeting, onFrame }),
      transmit: (session, frame) => session.send(frame),
    });
  }

  get registered(): boolean {
    return this.#kept.session !== undefined;
  }

  get roundTripMs(): number | undefined {
    return this.#kept.roundTripMs;
  }

  get greeting(): Greeting | undefined {
    return this.#greeting;
  }

  onParcel(handler: (parcel: Parcel) => unknown): Disposable {
    return this.#parcels.add(handler);
  }

  onGreeting(handler: (greeting: Greeting) => unknown): Disposable {
    return this.#greetings.add(handler);
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.#kept.ready(signal);
  }

  async send(
    { id: to }: Recipient,
    box: Buffer,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const ref = this.#nextRef;
    this.#nextRef = (ref + 1) % 0x1_0000_0000;
    await this.#kept.dispatch(ref, { type: 'send', ref, to, box: box.toString('base64') }, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#kept[Symbol.asyncDispose]();
  }

  #welcomed(greeting: Greeting): void {
    this.#greeting = greeting;
    this.#greetings.emit(greeting);
  }

  #received(frame: ServerFrame | undefined): void {
    if (frame?.type === 'deliver') {
      const { from, seenFrom, box } = frame;
      this.#parcels.emit({ from, seenFrom, box: Buffer.from(box, 'base64') });
    } else if (frame?.type === 'sent') {
      for (const ref of frame.refs) this.#kept.settle(ref);
    } else if (frame?.type === 'undelivered') {
      for (const ref of frame.refs) this.#kept.settle(ref, undelivered(this.url, frame.reason));
    } else if (frame?.type === 'goodbye') {
      this.#onEvent({ event: 'signalling-goodbye', url: this.url, reason: frame.reason });
    } else if (frame === undefined) {
      this.#onEvent({ event: 'signalling-ignored', url: this.url, reason: 'unknown-frame' });
    }
  }
}

function undelivered(url: string, reason: string): WayleaveError {
  switch (reason) {
    case 'not-here':
      return new WayleaveError('peer-not-registered', `${url}: the other node is not registered there`);
    case 'too-slow':
      return new WayleaveError('peer-not-registered', `${url}: the other node had stopped reading`);
    case 'rate-limited':
      return new WayleaveError('rate-limited', `${url}: too many messages in a short time`);
    default:
      return new WayleaveError('server-refused', `${url}: not delivered (${reason})`);
  }
}
