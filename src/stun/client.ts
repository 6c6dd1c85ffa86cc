// What the STUN clients share: the request as users describe it, its way through a transaction, and how
// an answer is read (RFC 8489 sections 6.2 and 6.3). udp-client.ts and stream-client.ts move the bytes.
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import { type Endpoint, formatEndpoint, toEndpoint } from '../net/endpoint.js';
import { type Attribute, attributeName } from './attributes.js';
import { encodeMessage, type Integrity, newTransactionId, notUnderstood } from './encode.js';
import { decodeMessage, type StunMessage } from './message.js';
import type { MethodName } from './message-type.js';
import { type Schedule, Transaction } from './transaction.js';

/** What to ask. */
export interface StunRequest {
  /** Default: `Binding`. */
  readonly method?: MethodName;
  readonly attributes?: readonly Attribute[];
  readonly integrity?: Integrity | undefined;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** When to send and give up. Default: the RFC's for the transport (UDP 39.5 s in 7 sends, streams 39.5 s). */
  readonly schedule?: Schedule;
  /** A further condition for the answer; what fails it is ignored. */
  readonly admit?: (answer: StunMessage) => boolean;
}

/** An answer, success or error: its `message.class` says which. */
export interface StunAnswer {
  readonly message: StunMessage;
  readonly from: Endpoint;
  /** Undefined when the request had to be repeated. */
  readonly roundTripMs: number | undefined;
  readonly sends: number;
}

/** Says who asks; it also makes the request long enough for a full answer (security.md, amplification). */
const SOFTWARE: Attribute = ['SOFTWARE', 'wayleave'];

export function encodeRequest(request: StunRequest): Buffer {
  return encodeMessage({
    class: 'request',
    method: request.method ?? 'Binding',
    transactionId: newTransactionId(),
    attributes: [...(request.attributes ?? []), SOFTWARE],
    integrity: request.integrity,
    fingerprint: true,
  });
}

/** Reads what arrived, or undefined: whatever does not decode came from nobody we asked. */
export function tryDecode(bytes: Buffer): StunMessage | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The requests of one socket that wait for their answers. */
export class PendingRequests {
  readonly #waiting = new Map<string, { transaction: Transaction; wake: (from: Endpoint) => void }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Hands a message to the request that it answers; false when it answers none. */
  receive(message: StunMessage, from: Endpoint): boolean {
    const entry = this.#waiting.get(message.transactionKey);
    if (!entry?.transaction.receive(message, from)) return false;
    entry.wake(from);
    return true;
  }

  /**
   * Sends as the schedule says until the answer comes.
   * @throws WayleaveError `no-answer`, or the signal's abort error.
   */
  async run(
    bytes: Buffer,
    answerFrom: readonly Endpoint[],
    options: RequestOptions & { readonly schedule: Schedule; readonly ended: AbortSignal },
    send: (bytes: Buffer) => void,
  ): Promise<StunAnswer> {
    const { signal, ended, admit, schedule } = options;
    const clock = this.#clock;
    const request = decodeMessage(bytes);
    const transaction = new Transaction({ request, schedule, startMs: clock.now(), answerFrom, admit });
    const stop = new AbortController(); // listeners of our own: AbortSignal.any would gather on `ended`
    const onStop = () => stop.abort();
    let from: Endpoint | undefined;
    let roundTripMs: number | undefined;
    const wake = (source: Endpoint) => {
      from = source;
      roundTripMs = transaction.roundTripMs(clock.now());
      stop.abort();
    };
    for (const each of [signal, ended]) each?.addEventListener('abort', onStop, { once: true });
    this.#waiting.set(request.transactionKey, { transaction, wake });
    try {
      for (;;) {
        if (transaction.answer) {
          return { message: transaction.answer, from: from!, roundTripMs, sends: transaction.sends };
        }
        for (const each of [signal, ended]) if (each?.aborted) throw abortError(each);
        const due = transaction.poll(clock.now());
        if (due === 'send') send(bytes);
        else if (due === 'give-up') throw noAnswer(answerFrom, transaction.sends);
        else await clock.sleep(transaction.nextAtMs - clock.now(), stop.signal).catch(() => {});
      }
    } finally {
      this.#waiting.delete(request.transactionKey);
      for (const each of [signal, ended]) each?.removeEventListener('abort', onStop);
    }
  }
}

function noAnswer(answerFrom: readonly Endpoint[], sends: number): WayleaveError {
  const who = answerFrom.map(formatEndpoint).join(' or ');
  return new WayleaveError('no-answer', `no STUN answer from ${who} to ${sends} request(s)`);
}

/**
 * The message of a successful answer.
 * @throws WayleaveError `request-failed` for an error, or for attributes that must be understood and are not.
 */
export function successOf({ message, from }: StunAnswer): StunMessage {
  if (message.class === 'error') {
    const error = message.get('ERROR-CODE');
    const words = error ? `${error.code} ${error.reason}` : 'an error without a code';
    throw new WayleaveError('request-failed', `${formatEndpoint(from)} answered ${words}`);
  }
  const strange = notUnderstood(message, type => attributeName(type) !== undefined);
  if (strange.length === 0) return message;
  const types = strange.map(type => `0x${type.toString(16)}`).join(', ');
  throw new WayleaveError('request-failed', `${formatEndpoint(from)} answered with attributes ${types}`);
}

/**
 * The address that the server saw: XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS from old servers.
 * Undefined when there is none, or none that could be dialled. @throws DecodeError
 */
export function mappedAddress(message: StunMessage): Endpoint | undefined {
  const mapped = message.get('XOR-MAPPED-ADDRESS') ?? message.get('MAPPED-ADDRESS');
  return mapped && toEndpoint(mapped.host, mapped.port);
}
