// One MQTT 3.1.1 connection to one broker, from the dial to its end: a clean session that reads this node's topics and
// leaves a last will. Reconnecting is kept-connection.ts: the MQTT client is used for one connection only, so it queues
// nothing, and tries nothing again, behind our back.
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { abortError, WayleaveError } from '../errors.js';
import type { Identity } from '../identity/keys.js';
import type { Clock } from '../net/clock.js';
import { optionalPackage } from '../optional-package.js';
import { type BrokerStreamOptions, dialBroker } from './broker-stream.js';
import { type BrokerTopics, topicsOf } from './broker-topics.js';
import type { Ended, Session } from './kept-connection.js';
import { presenceNote } from './presence.js';
import type { Credentials } from './server-url.js';

/** From the dial until the broker has our presence: five round trips, and a TLS handshake. */
const REGISTER_WITHIN_MS = 10_000;
/** A broker takes us for gone after one and a half of it (section 3.1.2.10), and so do we it. */
const KEEP_ALIVE_SECONDS = 30;
/** How long leaving may take before the connection is destroyed. */
const CLOSE_WITHIN_MS = 500;
/** What the broker has not acknowledged yet: our messages, at most 64, and receipts. */
const MAX_UNANSWERED = 256;
/** CONNACK return codes (section 3.2.2.3) that say no to this node, and not "not now". */
const REFUSED: readonly unknown[] = [2, 4, 5];

export interface BrokerSession extends Session {
  /** The note that says that this node is here. */
  readonly presence: Buffer;
  /** Settles when the broker has taken it (QoS 1). */
  publish(topic: string, payload: Buffer, retain?: boolean): Promise<void>;
  /** Settles when the broker has taken it. */
  subscribe(topic: string): Promise<void>;
  unsubscribe(topic: string): void;
}

export interface BrokerSessionOptions extends BrokerStreamOptions {
  readonly credentials: Credentials | undefined;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
}

/** The `mqtt` package. @throws WayleaveError `missing-package` */
export function loadMqtt(): Promise<typeof import('mqtt')> {
  return optionalPackage('mqtt', 'this signalling server is an MQTT broker', () => import('mqtt'));
}

/** @throws WayleaveError `missing-package`, `server-unreachable`, `server-refused` or the abort error. */
export async function openBrokerSession(options: BrokerSessionOptions): Promise<BrokerSession> {
  const { url, identity, clock, signal } = options;
  const { MqttClient } = await loadMqtt();
  using deadline = clock.deadline(REGISTER_WITHIN_MS, signal, () =>
    unreachable(url, 'did not let this node register in time'),
  );
  const stream = await dialBroker({ ...options, signal: deadline.signal });
  const topics = topicsOf(identity.id);
  const since = clock.wall();
  const note = (state: 'online' | 'offline') => presenceNote(identity, { state, since });
  const client = new MqttClient(() => stream as never, {
    clientId: randomBytes(11).toString('hex'), // 22 of the 23 characters that any broker takes; nobody can guess it
    ...(options.credentials?.username !== undefined && { username: options.credentials.username }),
    ...(options.credentials?.password !== undefined && { password: options.credentials.password }),
    will: { topic: topics.presence, payload: note('offline'), qos: 1, retain: true },
    protocolVersion: 4,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: REGISTER_WITHIN_MS,
    keepalive: KEEP_ALIVE_SECONDS,
    timerVariant: 'native',
    log: () => {}, // the package's own would show the password to whoever sets DEBUG
  });
  const session = new OpenSession(client, clock, options, note('online'));
  const abort = () => session.fail(abortError(deadline.signal));
  deadline.signal.addEventListener('abort', abort, { once: true });
  try {
    await session.begin(topics, note('offline'));
  } catch (error) {
    session.fail(error as WayleaveError);
    throw session.failure;
  } finally {
    deadline.signal.removeEventListener('abort', abort);
  }
  return session;
}

class OpenSession implements BrokerSession {
  readonly ended: Promise<Ended>;
  readonly presence: Buffer;
  roundTripMs = 0;
  /** Why it ended, or is about to. */
  failure: WayleaveError | undefined;
  readonly #client: MqttClient;
  readonly #clock: Clock;
  readonly #url: string;
  readonly #connected: Promise<unknown>;
  /** Rejects what waits for the broker: the client forgets it when its connection ends. */
  readonly #waiting = new Set<(error: WayleaveError) => void>();
  #leave: () => Promise<void> = async () => {};

  constructor(client: MqttClient, clock: Clock, { url, onMessage }: BrokerSessionOptions, presence: Buffer) {
    this.#client = client;
    this.#clock = clock;
    this.#url = url;
    this.presence = presence;
    this.ended = new Promise(resolve => {
      client.once('close', () => {
        const error = (this.failure ??= unreachable(url, 'the connection ended'));
        resolve({ error });
        for (const reject of this.#waiting) reject(error);
      });
    });
    this.#connected = new Promise(resolve => client.once('connect', resolve));
    client.on('error', cause => this.fail(failureOf(url, cause)));
    client.on('message', (topic, payload, { retain }) => onMessage(topic, payload, retain));
  }

  /** Takes its topics and says that it is here. */
  async begin(topics: BrokerTopics, goodbye: Buffer): Promise<void> {
    await this.#answered(() => this.#connected);
    const sentAt = this.#clock.now();
    await this.publish(topics.presence, this.presence, true);
    this.roundTripMs = this.#clock.now() - sentAt;
    // only now: what somebody has left at our topics may take the broker long to bring
    try {
      await this.#answered(() => this.#client.subscribeAsync([topics.box, topics.receipt], { qos: 1 }));
    } catch (cause) {
      throw new WayleaveError('server-refused', `${this.#url}: does not let this node read its topics`, {
        cause,
      });
    }
    this.subscribe(topics.presence).catch(() => {}); // where it is forbidden, what others write there stays
    this.#leave = () => this.publish(topics.presence, goodbye, true);
  }

  async publish(topic: string, payload: Buffer, retain = false): Promise<void> {
    await this.#answered(() => this.#client.publishAsync(topic, payload, { qos: 1, retain }));
  }

  async subscribe(topic: string): Promise<void> {
    await this.#answered(() => this.#client.subscribeAsync(topic, { qos: 0 }));
  }

  unsubscribe(topic: string): void {
    if (!this.failure) this.#client.unsubscribe(topic, () => {});
  }

  fail(error: WayleaveError): void {
    this.failure ??= error;
    this.#client.stream.destroy();
  }

  async close(): Promise<void> {
    using limit = this.#clock.deadline(CLOSE_WITHIN_MS);
    const tooLate = () => this.fail(unreachable(this.#url, 'it does not let this node go'));
    limit.signal.addEventListener('abort', tooLate, { once: true });
    this.#client.removeAllListeners('message'); // our own goodbye among them
    await this.#leave().catch(() => {});
    if (!this.failure) this.#client.end();
    await this.ended;
  }

  #answered<T>(ask: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      if (this.#waiting.size >= MAX_UNANSWERED) {
        return reject(new WayleaveError('rate-limited', `${this.#url}: is slow to acknowledge`));
      }
      this.#waiting.add(reject);
      ask()
        .finally(() => this.#waiting.delete(reject))
        .then(resolve, reject);
    });
  }
}

function failureOf(url: string, cause: Error & { code?: unknown }): WayleaveError {
  if (!REFUSED.includes(cause.code)) return unreachable(url, cause.message, cause);
  return new WayleaveError('server-refused', `${url}: ${cause.message}`, { cause });
}

function unreachable(url: string, why: string, cause?: unknown): WayleaveError {
  return new WayleaveError('server-unreachable', `${url}: ${why}`, cause === undefined ? {} : { cause });
}
