// One request and its answer as a state machine without sockets or clocks: feed in the time and what
// arrived, take out when to send and when to give up (RFC 8489 sections 6.2.1, 6.2.2 and 6.3.3).
import { type Endpoint, sameEndpoint } from '../net/endpoint.js';
import type { StunMessage } from './message.js';

/** When a request is sent, and when its answer is given up; milliseconds from its start. */
export interface Schedule {
  readonly sendAtMs: readonly number[];
  readonly giveUpMs: number;
}

/**
 * The schedule of RFC 8489 for UDP: each gap twice the one before, then a last wait.
 * @param rtoMs first gap; default 500, the RFC's floor for an unknown path (Rc and Rm: its 7 and 16).
 */
export function rfcSchedule(rtoMs = 500, sends = 7, lastWaits = 16): Schedule {
  const sendAtMs = Array.from({ length: sends }, (_, i) => rtoMs * (2 ** i - 1));
  return { sendAtMs, giveUpMs: sendAtMs.at(-1)! + lastWaits * rtoMs };
}

/** TCP and TLS retransmit by themselves: sent once, given up after Ti (RFC 8489 section 6.2.2). */
export const STREAM_SCHEDULE: Schedule = { sendAtMs: [0], giveUpMs: 39_500 };

export interface TransactionOptions {
  readonly request: StunMessage;
  readonly schedule: Schedule;
  readonly startMs: number;
  /** Who may answer: the server, or with CHANGE-REQUEST the endpoint it was asked to answer from. */
  readonly answerFrom: readonly Endpoint[];
  /** A further condition, such as integrity; what fails it is ignored, as if it had never come. */
  readonly admit?: ((answer: StunMessage) => boolean) | undefined;
}

export class Transaction {
  readonly #options: TransactionOptions;
  #sends = 0;
  #lastSentMs = 0;
  #answer: StunMessage | undefined;

  constructor(options: TransactionOptions) {
    this.#options = options;
  }

  /** How often the request was sent so far. */
  get sends(): number {
    return this.#sends;
  }

  /** The answer, once there is one. */
  get answer(): StunMessage | undefined {
    return this.#answer;
  }

  /** The round trip, if `nowMs` is when the answer came; undefined after a repetition (Karn: whose answer is it?). */
  roundTripMs(nowMs: number): number | undefined {
    return this.#sends === 1 ? nowMs - this.#lastSentMs : undefined;
  }

  /** When to poll next. */
  get nextAtMs(): number {
    const { schedule, startMs } = this.#options;
    return startMs + (schedule.sendAtMs[this.#sends] ?? schedule.giveUpMs);
  }

  /** What is due at this time: send the request (once for each `send`), give up, or nothing. */
  poll(nowMs: number): 'send' | 'give-up' | undefined {
    if (this.#answer || nowMs < this.nextAtMs) return undefined;
    if (this.#sends === this.#options.schedule.sendAtMs.length) return 'give-up';
    this.#sends++;
    this.#lastSentMs = nowMs;
    return 'send';
  }

  /** Whether this message ends the transaction. Anything but its answer, from who may answer, changes nothing. */
  receive(message: StunMessage, from: Endpoint): boolean {
    const { request, answerFrom, admit } = this.#options;
    if (this.#answer || this.#sends === 0) return false;
    if (message.class !== 'success' && message.class !== 'error') return false;
    if (message.method !== request.method || message.transactionKey !== request.transactionKey) return false;
    if (!answerFrom.some(endpoint => sameEndpoint(endpoint, from))) return false;
    if (admit && !admit(message)) return false;
    this.#answer = message;
    return true;
  }
}
