// The channel to an MQTT broker: the same sealed boxes, at topics named for the nodes. Of what a broker says nothing is
// proved, and anybody may write to a topic; so a box counts as delivered when its recipient's signed receipt is here,
// and presence only decides how long that is waited for.
import { WayleaveError } from '../errors.js';
import type { NodeId } from '../identity/node-id.js';
import { TokenBucket } from '../net/token-bucket.js';
import { BrokerIntake } from './broker-intake.js';
import { digestOf, isReceiptOf, receiptDigest, receiptFor, wrapBox } from './broker-parcel.js';
import { type BrokerSession, type BrokerSessionOptions, openBrokerSession } from './broker-session.js';
import { topicsOf } from './broker-topics.js';
import type { Ignored, OnSignallingEvent, Parcel, Recipient, SignallingChannel } from './channel.js';
import { KeptConnection } from './kept-connection.js';
import { Listeners } from './listeners.js';
import { laterPresence, type Presence, readPresence } from './presence.js';

/** A receipt that is not here after so long is late: then the peer's presence is looked at. */
const LATE_AFTER_MS = 250;
/** How long it is waited for from then on. */
const PATIENCE_MS = { online: 3000, offline: 750 } as const;
/** Signatures of others that are looked at, and receipts for what comes again: a second, and at once. */
const CHECKED = { perSecond: 100, burst: 200 } as const;
/** Our presence is restored no more often: whoever removes it need not make us busy. */
const RESTORE_EVERY_MS = 5000;
/** What was dropped is told so often; a flood of it must not become a flood of reports. */
const REPORTS = { perSecond: 1, burst: 10 } as const;

export interface MqttChannelOptions
  extends Omit<BrokerSessionOptions, 'signal' | 'onMessage' | 'credentials'> {
  readonly credentials?: BrokerSessionOptions['credentials'];
  readonly onEvent: OnSignallingEvent;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** A box on its way. */
interface Sent {
  readonly to: NodeId;
  readonly parcel: Buffer;
  /** Aborts when it is settled. */
  readonly over: AbortSignal;
}
/** Whose presence is being watched, for how many boxes, and what it says. */
interface Watched {
  boxes: number;
  presence: Presence | undefined;
}

export class MqttChannel implements SignallingChannel {
  readonly url: string;
  readonly greeting = undefined;
  readonly #options: MqttChannelOptions;
  readonly #own: ReturnType<typeof topicsOf>;
  readonly #parcels: Listeners<[Parcel]>;
  readonly #kept: KeptConnection<BrokerSession, string, Sent>;
  readonly #intake: BrokerIntake;
  readonly #checked: TokenBucket;
  readonly #reports: TokenBucket;
  readonly #restored: TokenBucket;
  readonly #watched = new Map<string, { id: NodeId } & Watched>();

  constructor({ credentials, ...options }: MqttChannelOptions) {
    const { url, identity, clock, onEvent, random } = options;
    const now = clock.now();
    this.url = url;
    this.#options = options;
    this.#own = topicsOf(identity.id);
    this.#parcels = new Listeners(error => onEvent({ event: 'handler-failed', error }));
    this.#intake = new BrokerIntake(identity.sealingPublicKey, now);
    this.#checked = new TokenBucket(CHECKED.perSecond, CHECKED.burst, now);
    this.#reports = new TokenBucket(REPORTS.perSecond, REPORTS.burst, now);
    this.#restored = new TokenBucket(1000 / RESTORE_EVERY_MS, 1, now);
    const onMessage: BrokerSessionOptions['onMessage'] = (...message) => this.#received(...message);
    this.#kept = new KeptConnection({
      url,
      clock,
      onEvent,
      random,
      open: signal => openBrokerSession({ ...options, credentials, signal, onMessage }),
      transmit: (session, sent, digest) => void this.#transmit(session, sent, digest),
    });
  }

  get registered(): boolean {
    return this.#kept.session !== undefined;
  }

  get roundTripMs(): number | undefined {
    return this.#kept.roundTripMs;
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.#kept.ready(signal);
  }

  onParcel(handler: (parcel: Parcel) => unknown): Disposable {
    return this.#parcels.add(handler);
  }

  /** A broker never greets. */
  onGreeting(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  async send(
    { id: to, sealingKey }: Recipient,
    box: Buffer,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const over = new AbortController();
    try {
      const sent = { to, parcel: wrapBox(sealingKey, box), over: over.signal };
      await this.#kept.dispatch(digestOf(box), sent, signal);
    } finally {
      over.abort();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#kept[Symbol.asyncDispose]();
  }

  /** Publishes the box, once more when its receipt is late, and gives it up when that stays out. */
  async #transmit(session: BrokerSession, { to, parcel, over }: Sent, digest: string): Promise<void> {
    const { clock } = this.#options;
    try {
      await session.publish(topicsOf(to).box, parcel);
      await clock.sleep(Math.max(LATE_AFTER_MS, 2 * session.roundTripMs), over);
      await session.publish(topicsOf(to).box, parcel); // the peer may have been about to return, or flooded
      using watched = await this.#watch(session, to);
      await clock.sleep(PATIENCE_MS.offline + session.roundTripMs, over);
      const { state = 'offline' } = watched.presence() ?? {};
      if (state === 'online') await clock.sleep(PATIENCE_MS.online - PATIENCE_MS.offline, over);
      if (this.#kept.session !== session) return;
      const why = state === 'online' ? 'the other node does not answer there' : 'the other node is not there';
      this.#kept.settle(digest, new WayleaveError('peer-not-registered', `${this.url}: ${why}`));
    } catch {
      // settled meanwhile; or the session is lost, and the next one transmits it again
    }
  }

  async #watch(session: BrokerSession, id: NodeId) {
    const topic = topicsOf(id).presence;
    const watched = this.#watched.get(topic) ?? { id, boxes: 0, presence: undefined };
    this.#watched.set(topic, watched);
    watched.boxes++;
    const leave = () => {
      if (--watched.boxes > 0) return;
      this.#watched.delete(topic);
      if (topic !== this.#own.presence) session.unsubscribe(topic);
    };
    await session.subscribe(topic).catch(() => {}); // without it nothing is known of the peer
    return { presence: () => watched.presence, [Symbol.dispose]: leave };
  }

  /** Anybody's words. Nothing here may throw, wait or cost much. */
  #received(topic: string, payload: Buffer, retained: boolean): void {
    if (topic === this.#own.box) this.#receivedBox(payload, retained);
    else if (topic === this.#own.receipt && !retained) this.#receivedReceipt(payload);
    else if (topic === this.#own.presence) this.#receivedOwnPresence(payload);
    const watched = this.#watched.get(topic);
    const note = watched && this.#mayCheck() ? readPresence(watched.id, payload) : undefined;
    if (watched && note) watched.presence = laterPresence(watched.presence, note);
  }

  #receivedBox(payload: Buffer, retained: boolean): void {
    const arrival = this.#intake.take(payload, retained, this.#options.clock.now());
    if ('box' in arrival) {
      const { box, digest } = arrival;
      const opened = (from: NodeId) => {
        this.#intake.opened(digest, from);
        this.#acknowledge(from, digest);
      };
      this.#parcels.emit({ box, from: undefined, seenFrom: undefined, opened });
      return;
    }
    const { dropped } = arrival;
    // its sender may have missed the receipt, and sent it again
    if (dropped === 'not-fresh' && arrival.from !== undefined && this.#mayCheck()) {
      this.#acknowledge(arrival.from, arrival.digest);
    }
    this.#report(dropped);
  }

  #receivedReceipt(payload: Buffer): void {
    const digest = receiptDigest(payload);
    const sent = digest === undefined ? undefined : this.#kept.pending(digest);
    if (sent && this.#mayCheck() && isReceiptOf(sent.to, payload)) this.#kept.settle(digest!);
  }

  /** The will of a session before this one comes late, or somebody has written there. */
  #receivedOwnPresence(payload: Buffer): void {
    const session = this.#kept.session;
    if (!session || payload.equals(session.presence) || !this.#restored.take(this.#options.clock.now()))
      return;
    session.publish(this.#own.presence, session.presence, true).catch(() => {});
  }

  #acknowledge(to: NodeId, digest: string): void {
    const receipt = receiptFor(this.#options.identity, digest);
    this.#kept.session?.publish(topicsOf(to).receipt, receipt).catch(() => {});
  }

  #mayCheck(): boolean {
    return this.#checked.take(this.#options.clock.now());
  }

  #report(reason: Ignored['reason']): void {
    const { clock, onEvent } = this.#options;
    if (this.#reports.take(clock.now())) onEvent({ event: 'signalling-ignored', url: this.url, reason });
  }
}
