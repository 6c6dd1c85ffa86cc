// One connection to NATS as the backplane uses it. What one turn of the event loop has to say leaves in one write:
// a server under load hears many clients in a turn, and a system call for each of their messages would cost more
// than the messages. What is heard can end neither the process nor the connection, whatever it is.
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { NodeId } from '../../src/identity/node-id.js';
import type { Clock } from '../../src/net/clock.js';
import type { Outcome } from './backplane.js';
import { CLAIMS, MAX_CLAIMS, MAX_OUTCOMES, seatSubject, waits } from './wire.js';

/** How long a registration waits for NATS to have noted it: a NATS that stalls must not keep clients out. */
const CONFIRM_WITHIN_MS = 1_000;

const ASK_AGAIN_MS = 1_000;
const UNHEARD = 'nothing that is said comes back: the NATS user needs to publish and subscribe wayleave.1.>';

interface Delivery {
  readonly to: NodeId;
  readonly frame: string;
  readonly replyTo: string;
}

/** What the link tells its owner. */
export interface LinkEvents {
  /** A delivery did not leave; its reply subject says whose it was. */
  unsent(replyTo: string): void;
  /** A handler threw, or NATS refused a subscription. */
  failed(error: Error): void;
}

export class BackplaneLink {
  /** Every seat is known to NATS: messages may go. */
  joined = false;
  /** Aborts when the connection has ended. */
  readonly over: AbortSignal;
  readonly #connection: NatsConnection;
  readonly #process: string;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  #claims: (readonly [id: NodeId, stamp: number, way: string])[] = [];
  #deliveries: Delivery[] = [];
  #outcomes = new Map<string, Map<Outcome, number[]>>();
  #confirmation: { readonly promise: Promise<void>; readonly settle: () => void } | undefined;
  #scheduled = false;
  #hasHeardItself = false;

  constructor(
    connection: NatsConnection,
    over: AbortSignal,
    process: string,
    clock: Clock,
    events: LinkEvents,
  ) {
    this.#connection = connection;
    this.over = over;
    this.#process = process;
    this.#clock = clock;
    this.#events = events;
  }

  /** Makes a handler safe: what escaped from one would end the client's reading, silently. */
  guarded(handler: (message: Msg) => void): (error: Error | null, message: Msg) => void {
    return (error, message) => {
      try {
        if (error) throw error;
        handler(message);
      } catch (fault) {
        this.#events.failed(fault as Error);
      }
    };
  }

  /**
   * @param callback from `guarded`
   * @param queue of the subscriptions with one queue name, one gets each message
   * @returns undefined once the connection has ended
   */
  subscribe(
    subject: string,
    callback: (error: Error | null, message: Msg) => void,
    queue?: string,
  ): Subscription | undefined {
    try {
      return this.#connection.subscribe(subject, queue === undefined ? { callback } : { callback, queue });
    } catch {
      return undefined;
    }
  }

  claim(id: NodeId, stamp: number, way: string): void {
    this.#claims.push([id, stamp, way]);
    this.#schedule();
  }

  /**
   * Settles when what this process says comes back to it, or the connection is over. Who may log in to NATS may
   * still not be allowed to speak or to listen here. Never rejects.
   */
  async established(): Promise<void> {
    // claims nothing, and asks every process for its latest stamp
    const question = JSON.stringify({ by: this.#process, claims: [] });
    for (let tries = 0; !this.#hasHeardItself && !this.over.aborted; tries++) {
      if (tries === 1) this.#events.failed(new Error(UNHEARD));
      if (tries > 0) await this.#clock.sleep(ASK_AGAIN_MS, this.over).catch(() => {});
      this.#publish(CLAIMS, question, waits(this.#process, 'stamp'));
      await this.confirmed();
    }
  }

  heardItself(): void {
    this.#hasHeardItself = true;
  }

  answerStamp(replyTo: string, stamp: number): void {
    this.#publish(replyTo, JSON.stringify({ stamp }));
  }

  deliver(to: NodeId, frame: string, replyTo: string): void {
    this.#deliveries.push({ to, frame, replyTo });
    this.#schedule();
  }

  /** @param process that waits for it */
  report(process: string, ref: number, outcome: Outcome): void {
    let words = this.#outcomes.get(process);
    if (!words) this.#outcomes.set(process, (words = new Map()));
    const refs = words.get(outcome);
    if (refs) refs.push(ref);
    else words.set(outcome, [ref]);
    this.#schedule();
  }

  /** Settles when NATS has taken in all that was said until now, or will not. Never rejects. */
  confirmed(): Promise<void> {
    if (!this.#confirmation) {
      let settle = () => {};
      const promise = new Promise<void>(resolve => {
        settle = resolve;
      });
      this.#confirmation = { promise, settle };
      this.#schedule();
    }
    return this.#confirmation.promise;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#scheduled = false;
    const claims = this.#claims.splice(0);
    for (const some of chunks(claims, MAX_CLAIMS))
      this.#publish(CLAIMS, JSON.stringify({ by: this.#process, claims: some }));
    for (const { to, frame, replyTo } of this.#deliveries.splice(0))
      if (!this.#publish(seatSubject(to), frame, replyTo)) this.#events.unsent(replyTo);
    for (const [process, words] of this.#outcomes)
      for (const [word, refs] of words)
        for (const some of chunks(refs, MAX_OUTCOMES))
          this.#publish(waits(process, 'outcomes'), JSON.stringify({ [word]: some }));
    this.#outcomes.clear();
    const confirmation = this.#confirmation;
    this.#confirmation = undefined;
    if (confirmation) void this.#roundTrip().then(confirmation.settle);
  }

  #publish(subject: string, payload: string, reply?: string): boolean {
    try {
      this.#connection.publish(subject, payload, reply === undefined ? {} : { reply });
      return true;
    } catch {
      return false; // the connection has ended, or this NATS takes only smaller messages
    }
  }

  async #roundTrip(): Promise<void> {
    using limit = this.#clock.deadline(CONFIRM_WITHIN_MS, this.over);
    const given = new Promise<void>(resolve => {
      limit.signal.addEventListener('abort', () => resolve(), { once: true });
      if (limit.signal.aborted) resolve();
    });
    // a connection that has ended leaves its flush without an answer
    await Promise.race([this.#connection.flush().catch(() => {}), given]);
  }
}

function* chunks<T>(items: readonly T[], most: number): Iterable<readonly T[]> {
  for (let from = 0; from < items.length; from += most) yield items.slice(from, from + most);
}
