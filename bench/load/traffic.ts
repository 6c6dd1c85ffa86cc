// Messages between random pairs of a crowd: at a fixed rate whatever the server does (open loop), or as many as
// come back (closed loop). Latency is counted in history.ts, from when a message was meant to leave.
import { systemClock } from '../../src/net/clock.js';
import { Crowd } from './crowd.js';
import { History } from './history.js';
import { numberIn, numbersIn } from './letter.js';
import type { ThinClient } from './thin-client.js';

const DELIVER = Buffer.from('{"type":"d');
const SENT = Buffer.from('{"type":"se');
const UNDELIVERED = Buffer.from('{"type":"u');
/** How long after the last message its answer is waited for. */
const SETTLE_MS = 5_000;

const startsWith = (payload: Buffer, head: Buffer) =>
  payload.compare(head, 0, head.length, 0, head.length) === 0;

export class Traffic implements Disposable {
  readonly crowd: Crowd;
  readonly history: History;
  readonly #random = seeded(1);
  #dirty: ThinClient[] = [];
  #onAnswer: ((client: ThinClient) => void) | undefined;

  private constructor(urls: readonly string[], echoes: boolean, capacity: number) {
    this.history = new History(capacity);
    const onText = echoes ? this.#echoed : this.#heard;
    const onEnd = ({ index }: ThinClient) => this.history.ended(index, systemClock.now());
    this.crowd = new Crowd({ urls, registers: !echoes, onText, onEnd });
  }

  /** @param capacity how many messages can be sent in all. */
  static async between(
    clients: number,
    urls: readonly string[],
    { echoes = false, capacity = 4e6 } = {},
  ): Promise<Traffic> {
    const traffic = new Traffic(urls, echoes, capacity);
    await traffic.crowd.grow(clients);
    return traffic;
  }

  /** `perSecond` messages, evenly spaced, whatever becomes of them. */
  async openLoop(perSecond: number, durationMs: number): Promise<void> {
    const startMs = systemClock.now();
    const total = Math.round((perSecond * durationMs) / 1000);
    for (let sent = 0; sent < total && !this.history.full; await systemClock.sleep(1)) {
      const due = Math.min(total, ((systemClock.now() - startMs) * perSecond) / 1000);
      for (; sent < due && !this.history.full; sent++)
        this.#send(this.#anybody(), startMs + (sent * 1000) / perSecond);
      this.#flush();
    }
  }

  /** Each client keeps `window` messages under way. */
  async closedLoop(window: number, durationMs: number): Promise<void> {
    const { clients } = this.crowd;
    this.#onAnswer = client => this.#send(client, systemClock.now());
    for (const client of clients) for (let i = 0; i < window; i++) this.#onAnswer(client);
    this.#flush();
    await systemClock.sleep(durationMs);
    this.#onAnswer = undefined;
  }

  /** Waits until every message is answered for, or nothing more will come. */
  async settle(): Promise<void> {
    for (let waited = 0; this.history.open > 0 && waited < SETTLE_MS; waited += 50)
      await systemClock.sleep(50);
  }

  [Symbol.dispose](): void {
    this.crowd[Symbol.dispose]();
  }

  #anybody(): ThinClient {
    const { clients } = this.crowd;
    return clients[Math.floor(this.#random() * clients.length)]!;
  }

  #send(from: ThinClient, meantAt: number): void {
    if (!from.open || this.history.full) return;
    const to = this.#anybody();
    const number = this.history.send(from.index, to.index, meantAt);
    if (from.post(to, number) && this.#dirty.push(from) === 1 && this.#onAnswer)
      setImmediate(() => this.#flush());
  }

  #flush(): void {
    const due = this.#dirty;
    this.#dirty = [];
    for (const client of due) {
      client.flush();
      if (!client.open) this.history.ended(client.index, systemClock.now());
    }
  }

  readonly #echoed = (payload: Buffer, client: ThinClient): void => {
    const number = numberIn(payload);
    this.history.arrived(number, systemClock.now());
    this.history.acknowledged(number);
    this.#onAnswer?.(client);
  };

  readonly #heard = (payload: Buffer, client: ThinClient): void => {
    if (startsWith(payload, DELIVER)) this.history.arrived(numberIn(payload), systemClock.now());
    else if (startsWith(payload, SENT)) {
      for (const number of numbersIn(payload)) {
        this.history.acknowledged(number);
        this.#onAnswer?.(client);
      }
    } else if (startsWith(payload, UNDELIVERED)) {
      for (const number of numbersIn(payload)) this.history.reported(number);
    }
  };
}

/** Mulberry32: the same pairs in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
