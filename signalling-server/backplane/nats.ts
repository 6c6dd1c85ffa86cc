// Several server processes as one service, joined through NATS. Every seat is a subscription of its own, so that
// NATS itself is the directory: it routes to whoever holds an id, knows at once that nobody does ("no responders"),
// and forgets the seats of a killed process when the kernel closes its connection. One subject a process and a copy
// of the whole directory in each would batch better, and would have to be kept right in every one of them.
//
// - The subscriptions of one id form a queue group: whoever has several seats still gets one copy.
// - Who takes a seat claims it before all, with a stamp; who holds one that it excludes leaves it if its stamp is
//   lower, and claims it again if it is higher. So one is left, always the same (seat-stamps.ts, seat-table.ts).
// - A delivery that finds its seat gone is sent on: this process no longer subscribes, so that it reaches the new
//   holder, or nobody.
// - `sent` is reported when the kernel has taken the frame, not before: a process killed takes nothing along.
// - Pairs at one process never touch NATS. While it is away everybody else is `unavailable`.
import { randomBytes } from 'node:crypto';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { DecodeError } from '../../src/errors.js';
import type { NodeId } from '../../src/identity/node-id.js';
import { type Clock, systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import type { Log } from '../log.js';
import type { Backplane, BackplaneFigures, Outcome, Seat } from './backplane.js';
import { BackplaneLink } from './link.js';
import { type DialNats, stayConnected } from './nats-connection.js';
import type { NatsServer } from './nats-url.js';
import { PendingOutcomes } from './pending-outcomes.js';
import { outranks, Stamps } from './seat-stamps.js';
import { excludes, SeatTable } from './seat-table.js';
import * as wire from './wire.js';

/** After NATS was away the other processes are back within this time; until then nobody is said not to be here. */
const OTHERS_RETURN_WITHIN_MS = 3_000;
/** Seats made known again in one turn of the event loop: clients are served between. */
const SEATS_A_TURN = 500;

interface Held {
  readonly seat: Seat;
  readonly stamp: number;
  /** The connection on which it was last claimed. */
  claimedOn: BackplaneLink | undefined;
}

export interface NatsBackplaneOptions {
  /** At least one. */
  readonly servers: readonly NatsServer[];
  readonly dial: DialNats;
  readonly log: Log;
  readonly clock?: Clock;
  /** Uniform in [0, 1): the jitter of reconnects. */
  readonly random?: () => number;
}

export class NatsBackplane implements Backplane {
  readonly name = 'nats';
  readonly #process = randomBytes(12).toString('base64url');
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #scope = new Scope();
  readonly #stamps: Stamps;
  readonly #pending: PendingOutcomes;
  readonly #held = new SeatTable<Held>();
  /** One for each id that has a seat here, on the present connection. */
  readonly #subscriptions = new Map<NodeId, Subscription>();
  readonly #messages = { out: 0, in: 0, forwarded: 0 };
  readonly #running: Promise<void>;
  #malformed = 0;
  #link: BackplaneLink | undefined;
  #onDelivery: ReturnType<BackplaneLink['guarded']> = () => {};
  #everJoined = false;
  /** Monotonic milliseconds. */
  #othersReturnUntil = 0;

  constructor({ servers, dial, log, clock = systemClock, random = Math.random }: NatsBackplaneOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#stamps = new Stamps(() => clock.wall());
    const { signal } = this.#scope;
    this.#pending = new PendingOutcomes(clock, signal);
    this.#running = stayConnected({ servers, dial, clock, log, signal, random }, (connection, over) => {
      const events = { unsent: this.#unsent, failed: this.#failed };
      void this.#join(new BackplaneLink(connection, over, this.#process, clock, events));
    });
  }

  /**
   * From the first joining on. Losing NATS later makes no process unready: it goes on serving its own pairs, and
   * all processes lose NATS together, so that a load balancer would have none left.
   */
  get ready(): boolean {
    return this.#everJoined;
  }

  get figures(): BackplaneFigures {
    return {
      joined: this.#link?.joined ?? false,
      pending: this.#pending.size,
      messages: this.#messages,
      timedOut: this.#pending.timedOut,
      malformed: this.#malformed,
    };
  }

  take(seat: Seat): Promise<void> | undefined {
    const held = { seat, stamp: this.#stamps.next(), claimedOn: undefined };
    for (const former of this.#held.take(held)) former.seat.takenOver();
    if (!this.#link) return undefined;
    this.#announce(held, this.#link);
    return this.#link.confirmed();
  }

  leave(seat: Seat): void {
    this.#held.leave(seat);
    this.#unsubscribeIfEmpty(seat.id);
  }

  pass(to: NodeId, frame: string): Outcome | Promise<Outcome> {
    return this.#held.push(to, frame) ?? this.#passOut(to, frame, 'out');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.clear();
    for (const id of [...this.#subscriptions.keys()]) this.#unsubscribeIfEmpty(id);
    await this.#link?.confirmed(); // so that the last reports leave
    await this.#scope.close();
    await this.#running;
  }

  #passOut(to: NodeId, frame: string, direction: 'out' | 'forwarded'): 'unavailable' | Promise<Outcome> {
    const link = this.#link?.joined ? this.#link : undefined;
    const pending = link && this.#pending.begin(frame.length);
    if (!pending) return 'unavailable';
    this.#messages[direction]++;
    link.deliver(to, frame, wire.waits(this.#process, pending.ref));
    return pending.outcome;
  }

  async #join(link: BackplaneLink): Promise<void> {
    this.#link = link;
    link.over.addEventListener('abort', () => this.#lost(), { once: true });
    this.#onDelivery = link.guarded(message => this.#deliver(message, link));
    const waits = wire.waitsOf(this.#process);
    link.subscribe(
      waits,
      link.guarded(message => this.#heardBack(message)),
    );
    link.subscribe(
      wire.CLAIMS,
      link.guarded(message => this.#heardClaims(message, link)),
    );
    let announced = 0;
    for (const held of this.#held.all()) {
      if (held.claimedOn === link) continue; // taken since
      this.#announce(held, link);
      if (++announced % SEATS_A_TURN === 0) await link.confirmed();
      if (link.over.aborted) return;
    }
    await link.established();
    if (link.over.aborted) return;
    if (this.#everJoined) this.#othersReturnUntil = this.#clock.now() + OTHERS_RETURN_WITHIN_MS;
    this.#everJoined = true;
    link.joined = true;
    this.#log.info({ ids: this.#subscriptions.size }, 'joined through NATS');
  }

  #lost(): void {
    this.#link = undefined;
    this.#subscriptions.clear();
    this.#pending.settleAll('unavailable');
  }

  #announce(held: Held, link: BackplaneLink): void {
    const { id } = held.seat;
    if (!this.#subscriptions.has(id)) {
      const subscription = link.subscribe(wire.seatSubject(id), this.#onDelivery, 'seat');
      if (subscription) this.#subscriptions.set(id, subscription);
    }
    this.#claim(held, link);
  }

  #claim(held: Held, link: BackplaneLink): void {
    held.claimedOn = link;
    link.claim(held.seat.id, held.stamp, held.seat.way);
  }

  #unsubscribeIfEmpty(id: NodeId): void {
    if (this.#held.of(id).length > 0) return;
    // what is on its way here already is still heard, and sent on
    this.#subscriptions
      .get(id)
      ?.drain()
      .catch(() => {});
    this.#subscriptions.delete(id);
  }

  #deliver({ subject, reply, data }: Msg, link: BackplaneLink): void {
    const id = wire.readSeatSubject(subject);
    const { process, what: ref } = wire.readWaits(reply);
    if (typeof ref !== 'number') throw new DecodeError('reply', 'no reference');
    const frame = wire.readDelivery(data);
    const report = (outcome: Outcome) => link.report(process, ref, outcome);
    const outcome = this.#held.push(id, frame, error => report(error ? 'not-here' : 'sent'));
    if (outcome === undefined) {
      // in our name: NATS says that nobody is there to nobody but who sent
      void Promise.resolve(this.#passOut(id, frame, 'forwarded')).then(report);
      return;
    }
    this.#messages.in++;
    if (outcome !== 'sent') report(outcome);
  }

  /** Something that this process waits for. */
  #heardBack({ subject, data, headers }: Msg): void {
    const { what } = wire.readWaits(subject);
    if (what === 'stamp') this.#stamps.saw(wire.readStamp(data));
    else if (what === 'outcomes') {
      const outcomes = wire.readOutcomes(data);
      for (const word of wire.OUTCOMES)
        for (const ref of outcomes[word] ?? []) this.#pending.settle(ref, word);
    } else if (headers?.code === 503) {
      const doubtful = this.#clock.now() < this.#othersReturnUntil;
      this.#pending.settle(what, doubtful ? 'unavailable' : 'not-here');
    }
  }

  #heardClaims({ data, reply }: Msg, link: BackplaneLink): void {
    const { by, claims } = wire.readClaims(data);
    if (by === this.#process) {
      link.heardItself();
      return;
    }
    if (reply) {
      wire.readWaits(reply);
      link.answerStamp(reply, this.#stamps.latest);
    }
    for (const [id, stamp, way] of claims) {
      this.#stamps.saw(stamp);
      for (const held of this.#held.of(id)) {
        if (!excludes(way, held.seat.way)) continue;
        if (outranks({ stamp, by }, { stamp: held.stamp, by: this.#process })) {
          this.leave(held.seat);
          held.seat.takenOver();
        } else this.#claim(held, link);
      }
    }
  }

  readonly #unsent = (replyTo: string): void => {
    const { process, what } = wire.readWaits(replyTo);
    if (process === this.#process && typeof what === 'number') this.#pending.settle(what, 'unavailable');
  };

  readonly #failed = (error: Error): void => {
    if (error instanceof DecodeError) {
      this.#malformed++;
      this.#log.debug({ reason: error.message }, 'not understood');
    } else this.#log.error({ reason: error.message }, 'NATS');
  };
}
