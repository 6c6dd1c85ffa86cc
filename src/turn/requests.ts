// Requests to one TURN server over one transport, sans-I/O: the way through the server's challenges
// (RFC 8489 sections 9.2.4 and 9.2.5), proof of every response, and each request's transaction. Put in
// messages and the time, take out bytes to send and the next deadline.
import { DecodeError, WayleaveError } from '../errors.js';
import { type Endpoint, formatEndpoint } from '../net/endpoint.js';
import type { Attribute } from '../stun/attributes.js';
import { type Authorization, authorize, type Credentials } from '../stun/credentials.js';
import { encodeMessage, newTransactionId } from '../stun/encode.js';
import { verifyIntegrity } from '../stun/integrity.js';
import { decodeMessage, type StunMessage } from '../stun/message.js';
import type { MethodName } from '../stun/message-type.js';
import { rfcSchedule, type Schedule, STREAM_SCHEDULE, Transaction } from '../stun/transaction.js';
import { TurnError } from './turn-error.js';

/** A server that calls every fresh nonce stale is broken: how many a request takes in a row. */
const MAX_STALE_NONCES = 3;

export type Outcome =
  | { readonly ok: true; readonly message: StunMessage }
  | { readonly ok: false; readonly error: WayleaveError };

type Done = (outcome: Outcome, nowMs: number) => void;

interface Pending {
  readonly method: MethodName;
  readonly attributes: readonly Attribute[];
  readonly done: Done;
  transaction: Transaction;
  bytes: Buffer;
  key: string;
  authorization: Authorization | undefined;
  challenged: boolean;
  staleNonces: number;
  /** Why an answer was not believed, for the words of the timeout. */
  doubt: string | undefined;
}

export interface RequestsOptions {
  /** The server, and the only one whose answers count. */
  readonly server: Endpoint;
  readonly credentials: Credentials;
  /** The transport is TCP or TLS: nothing is sent twice. */
  readonly reliable: boolean;
  /** What an earlier connection to the same server learnt; saves this one the challenge. */
  readonly authorization?: Authorization | undefined;
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #schedule: Schedule;
  readonly #pending = new Map<string, Pending>();
  readonly #out: Buffer[] = [];
  #authorization: Authorization | undefined;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#schedule = options.reliable ? STREAM_SCHEDULE : rfcSchedule();
    this.#authorization = options.authorization;
  }

  /** What the server's last challenge led to. */
  get authorization(): Authorization | undefined {
    return this.#authorization;
  }

  /** Begins a request; `done` is called once, with a proved response or the reason why there is none. */
  start(nowMs: number, method: MethodName, attributes: readonly Attribute[], done: Done): void {
    this.#send({ method, attributes, done, challenged: false, staleNonces: 0, doubt: undefined }, nowMs);
  }

  /** Takes the next message to send. */
  takeOutput(): Buffer | undefined {
    return this.#out.shift();
  }

  /** When `advance` has something to do. */
  nextDeadlineMs(): number | undefined {
    let next: number | undefined;
    for (const { transaction } of this.#pending.values()) {
      if (next === undefined || transaction.nextAtMs < next) next = transaction.nextAtMs;
    }
    return next;
  }

  /** Retransmits what is due and gives up on what has waited long enough. */
  advance(nowMs: number): void {
    for (const pending of [...this.#pending.values()]) {
      const due = pending.transaction.poll(nowMs);
      if (due === 'send') this.#out.push(pending.bytes);
      if (due !== 'give-up') continue;
      const doubt = pending.doubt === undefined ? '' : ` that can be believed: ${pending.doubt}`;
      const text = `no answer to ${pending.method} from the TURN server${doubt}`;
      this.#settle(pending, { ok: false, error: new WayleaveError('no-answer', text) }, nowMs);
    }
  }

  /** Ends everything that waits. */
  fail(error: WayleaveError, nowMs: number): void {
    for (const pending of [...this.#pending.values()]) this.#settle(pending, { ok: false, error }, nowMs);
  }

  /** Takes a response; what answers no request of ours, or does not prove itself, is ignored. */
  receive(message: StunMessage, nowMs: number): void {
    const pending = this.#pending.get(message.transactionKey);
    if (!pending?.transaction.receive(message, this.#options.server)) return;
    if (message.class === 'success') return void this.#settle(pending, { ok: true, message }, nowMs);
    const { code, reason } = message.get('ERROR-CODE')!;
    const again = code === 401 ? !pending.challenged : code === 438 && pending.staleNonces < MAX_STALE_NONCES;
    if (again) {
      this.#authorization = authorize(message, this.#options.credentials, pending.authorization);
      if (code === 401) pending.challenged = true;
      else pending.staleNonces++;
      this.#pending.delete(pending.key);
      return void this.#send(pending, nowMs);
    }
    const alternate = code === 300 ? message.get('ALTERNATE-SERVER') : undefined;
    const error = new TurnError(pending.method, code, reason, alternate && formatEndpoint(alternate));
    this.#settle(pending, { ok: false, error }, nowMs);
  }

  // RFC 8489 section 9.2.5: what fails here is as if it had never come, and the transaction goes on.
  #admit(pending: Pending, message: StunMessage): boolean {
    try {
      pending.doubt = this.#doubtOf(pending, message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      pending.doubt = error.message;
    }
    return pending.doubt === undefined;
  }

  #doubtOf(pending: Pending, message: StunMessage): string | undefined {
    const error = message.class === 'error' ? message.get('ERROR-CODE') : undefined;
    if (message.class === 'error' && !error) return 'an error without a number';
    if (error?.code === 401 || error?.code === 438) {
      if (error.code === 401 && pending.challenged) return undefined;
      const answerable = authorize(message, this.#options.credentials, pending.authorization);
      return answerable
        ? undefined
        : 'a challenge without realm or nonce, or robbed of its password algorithms';
    }
    if (error?.code === 300) message.get('ALTERNATE-SERVER');
    // Before the challenge an error cannot be proved; a success that asked for no credentials is nobody's.
    if (!pending.authorization) return error ? undefined : 'a success that asked for no credentials';
    const { key, hashes = ['sha1'] } = pending.authorization.integrity;
    if (verifyIntegrity(message, key, hashes[0]!)) return undefined;
    return error ? `${error.code} without proof` : 'a success without proof';
  }

  // A request after a challenge is a new one, with an id of its own (RFC 8489 section 9.2.5).
  #send(request: Omit<Pending, 'transaction' | 'bytes' | 'key' | 'authorization'>, nowMs: number): void {
    const authorization = this.#authorization;
    const transactionId = newTransactionId();
    const bytes = encodeMessage({
      class: 'request',
      method: request.method,
      transactionId,
      // SOFTWARE also makes the first request long enough to deserve a full challenge (security.md, row 34).
      attributes: [...request.attributes, ['SOFTWARE', 'wayleave'], ...(authorization?.attributes ?? [])],
      integrity: authorization?.integrity,
      fingerprint: true,
    });
    const transaction = new Transaction({
      request: decodeMessage(bytes),
      schedule: this.#schedule,
      startMs: nowMs,
      answerFrom: [this.#options.server],
      admit: answer => this.#admit(pending, answer),
    });
    const key = transactionId.toString('latin1');
    const pending: Pending = { ...request, transaction, bytes, key, authorization };
    this.#pending.set(key, pending);
    if (transaction.poll(nowMs) === 'send') this.#out.push(bytes);
  }

  #settle(pending: Pending, outcome: Outcome, nowMs: number): void {
    this.#pending.delete(pending.key);
    pending.done(outcome, nowMs);
  }
}
