// Seals a message for one recipient, and opens what arrives: who signed it, whether it is fresh, whether it is
// well formed. Nothing here trusts the server that carried it. One replay window serves all servers, since a
// box seen through one may be replayed through another.
import { randomBytes } from 'node:crypto';
import { WayleaveError } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import { ReplayWindow } from '../identity/replay-window.js';
import { SEAL_OVERHEAD, seal, unseal } from '../identity/sealed-box.js';
import type { Clock } from '../net/clock.js';
import type { Ignored, Recipient } from './channel.js';
import { MAX_BOX_BYTES } from './frames.js';
import { type Message, type Payload, readBody, readPayload } from './messages.js';

export type Opened =
  | { readonly from: NodeId; readonly reply: Recipient; readonly message: Message }
  | Ignored;

export class Envelopes {
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #window: ReplayWindow;

  constructor(identity: Identity, clock: Clock, window = new ReplayWindow()) {
    this.#identity = identity;
    this.#clock = clock;
    this.#window = window;
  }

  /** @throws WayleaveError `message-too-large` over 16 KiB. */
  seal(to: Recipient, message: Message): Buffer {
    const payload: Payload = {
      v: 1,
      id: randomBytes(16).toString('base64url'),
      sentAt: Math.round(this.#clock.wall()),
      key: this.#identity.sealingPublicKey.toString('base64url'),
      ...message,
    };
    const bytes = Buffer.from(JSON.stringify(payload));
    if (bytes.length + SEAL_OVERHEAD > MAX_BOX_BYTES) {
      const most = MAX_BOX_BYTES - SEAL_OVERHEAD;
      throw new WayleaveError(
        'message-too-large',
        `signalling message of ${bytes.length} bytes, limit ${most}`,
      );
    }
    return seal(this.#identity, to.sealingKey, bytes);
  }

  /** Opens a box. Each is opened successfully at most once. */
  open(box: Uint8Array): Opened {
    const opened = unseal(this.#identity, box);
    if (opened === undefined) return { reason: 'not-for-us' };
    const { from } = opened;
    try {
      const { id, sentAt, key, attempt, side, body: unread } = readPayload(opened.payload);
      if (!this.#window.admit(from, id, sentAt, this.#clock.wall())) return { reason: 'not-fresh', from };
      const body = readBody(unread);
      if (body === undefined) return { reason: 'unknown-type', from, detail: unread.type };
      const reply = { id: from, sealingKey: Buffer.from(key, 'base64url') };
      return { from, reply, message: { attempt, side, body } };
    } catch (error) {
      return { reason: 'malformed', from, detail: (error as Error).message };
    }
  }
}
