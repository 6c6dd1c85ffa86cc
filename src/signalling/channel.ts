// A way to pass sealed boxes between nodes: one signalling server, or one MQTT broker. A channel reads nothing
// of what it carries; sealing and opening are the business of signalling.ts, the same for every kind of channel.
import type { NodeId } from '../identity/node-id.js';
import type { Greeting } from './frames.js';
import type { MessageType, PeerMessage, Side } from './messages.js';

/** Whom to write to: the id, and the X25519 key from the node's address or from its last message. */
export interface Recipient {
  readonly id: NodeId;
  /** Raw, 32 bytes. */
  readonly sealingKey: Buffer;
}

/** What a channel brought, still sealed. */
export interface Parcel {
  readonly box: Buffer;
  /** Who sent it, on the server's word. Only the signature in the box counts. */
  readonly from: NodeId | undefined;
  /** The IP address the server saw the sender connect from, canonical; undefined where nobody looked. */
  readonly seenFrom: string | undefined;
  /**
   * To be told when the box has been opened, by whom it is signed: where no server does, the channel itself lets the
   * sender know that it has arrived.
   */
  readonly opened?: (from: NodeId) => void;
}

export interface SignallingChannel extends AsyncDisposable {
  readonly url: string;
  /** Whether a message could be sent at this moment. */
  readonly registered: boolean;
  /** Milliseconds to the server and back, as registering took; undefined until then. */
  readonly roundTripMs: number | undefined;
  /** What the server said when this node last registered; undefined until then, and always of a broker. */
  readonly greeting: Greeting | undefined;
  /**
   * Resolves when registered. Rejects with the reason as soon as one try to register has failed; tries go on in
   * the background all the same.
   */
  ready(signal?: AbortSignal): Promise<void>;
  /**
   * Resolves when the server has handed the box to the recipient's connection; at a broker, when the recipient has
   * said that it arrived. While the server is away this waits, for at most 10 s or until the signal.
   * @throws WayleaveError `peer-not-registered`, `server-unreachable`, `rate-limited`, `closed`, or the abort error.
   */
  send(to: Recipient, box: Buffer, options?: { signal?: AbortSignal | undefined }): Promise<void>;
  onParcel(handler: (parcel: Parcel) => unknown): Disposable;
  /** Called at every registration and whenever the server changes its endpoints or credentials. */
  onGreeting(handler: (greeting: Greeting) => unknown): Disposable;
}

/** A message's body, and the IP address the server saw its sender connect from (if a server looked). */
export interface Heard<Type extends MessageType = MessageType> {
  readonly body: PeerMessage<Type>;
  readonly seenFrom: string | undefined;
  /** The channel that brought it. */
  readonly via: SignallingChannel;
}

/** What one attempt sees of signalling. */
export interface NextOptions<Type extends MessageType> {
  readonly signal?: AbortSignal | undefined;
  /** A further condition; what does not fit is left for other calls. */
  readonly where?: (heard: Heard<Type>) => boolean;
}

export interface AttemptChannel extends Disposable {
  readonly id: string;
  readonly peer: Recipient;
  /** Which end of the attempt this node is for. */
  readonly side: Side;
  /** Sends through the channel that the peer was last heard on, then through the others; errors as `Signalling.send`. */
  send(body: PeerMessage, options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /**
   * The first message of one of these types that has come or will come; others stay for other calls.
   * @throws WayleaveError `closed` when the view is disposed, or the abort error.
   */
  next<Type extends MessageType>(
    types: Type | readonly Type[],
    options?: NextOptions<Type>,
  ): Promise<Heard<Type>>;
  /** Sees every message, those that still wait for `next` included. */
  onMessage(handler: (heard: Heard) => unknown): Disposable;
}

/** A message that begins an attempt. Who it is from is proved; what it asks for is not yet granted. */
export interface Delivery {
  readonly from: NodeId;
  readonly reply: Recipient;
  readonly attempt: string;
  readonly body: PeerMessage;
  /** The IP address that the server saw the sender connect from; undefined where nobody looked. */
  readonly seenFrom: string | undefined;
  readonly via: SignallingChannel;
  /** Takes part in the attempt, as its responder. The caller disposes of it. */
  accept(): AttemptChannel;
  /** Answers without taking part. */
  answer(body: PeerMessage, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** Something that arrived and was dropped. */
export type Ignored = {
  readonly reason:
    | 'not-for-us' // cannot be opened, or is not signed by whom it says: forged, altered or misdirected
    | 'malformed'
    | 'not-fresh' // seen before, or sent too long ago or too far ahead
    | 'unknown-type' // a message of a later version
    | 'unknown-frame' // a frame of a later version
    | 'no-such-attempt'
    | 'dead-attempt' // it has ended here
    | 'queue-full'
    | 'retained' // a broker had kept it
    | 'too-many'; // more at once than are opened
  /** Who signed it, where that is proved. */
  readonly from?: NodeId;
  readonly detail?: string;
};

/** What happens in signalling, for logs and counters. No keys, no contents. */
export type SignallingEvent =
  | { readonly event: 'signalling-registered'; readonly url: string }
  | { readonly event: 'signalling-lost'; readonly url: string; readonly reason: string }
  | { readonly event: 'signalling-unreachable'; readonly url: string; readonly reason: string }
  | { readonly event: 'signalling-goodbye'; readonly url: string; readonly reason: string }
  | ({ readonly event: 'signalling-ignored'; readonly url: string } & Ignored)
  | { readonly event: 'handler-failed'; readonly error: unknown };

export type OnSignallingEvent = (event: SignallingEvent) => void;
