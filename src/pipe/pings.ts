// Round trips over a pipe: our pings that wait for their pong, and the pongs that we owe. Both are bounded, so
// that a peer that floods pings, or never answers ours, costs next to nothing.
import { randomBytes } from 'node:crypto';
import { abortError, WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import { type FrameKind, KIND, PING_BYTES } from './framing.js';

/** 16: nobody measures with more at once; what a peer asks beyond it while we cannot send is not answered. */
export const MAX_PINGS_UNDER_WAY = 16;

export interface PingOptions {
  /** Gives up after this many milliseconds with `timeout`. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Gives up with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

type Send = (kind: FrameKind, payload: Uint8Array, signal?: AbortSignal) => Promise<void>;

export class Pings {
  readonly #send: Send;
  /** By their payload. */
  readonly #underWay = new Map<string, { answered(): void; failed(error: unknown): void }>();
  #ended: WayleaveError | undefined;
  #owedPongs = 0;

  constructor(send: Send) {
    this.#send = send;
  }

  async ping({ timeoutMs = 5000, signal }: PingOptions): Promise<number> {
    if (this.#ended) throw this.#ended;
    if (this.#underWay.size >= MAX_PINGS_UNDER_WAY) {
      throw new WayleaveError('rate-limited', `${MAX_PINGS_UNDER_WAY} pings are already under way`);
    }
    const payload = randomBytes(PING_BYTES); // no peer can guess it, so no answer comes before its question
    const key = payload.toString('latin1');
    const late = () => new WayleaveError('timeout', `no pong within ${timeoutMs} ms`);
    using deadline = systemClock.deadline(timeoutMs, signal, late);
    const beganAt = performance.now();
    try {
      await new Promise<void>((answered, failed) => {
        const onAbort = () => failed(abortError(deadline.signal));
        if (deadline.signal.aborted) return onAbort();
        deadline.signal.addEventListener('abort', onAbort, { once: true });
        this.#underWay.set(key, { answered, failed });
        this.#send(KIND.ping, payload, deadline.signal).catch(failed);
      });
      return performance.now() - beganAt;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** A ping came, to be answered, or the pong of one of ours. */
  take(kind: typeof KIND.ping | typeof KIND.pong, payload: Buffer): void {
    if (kind === KIND.ping) this.#answer(payload);
    else this.#underWay.get(payload.toString('latin1'))?.answered(); // nobody waits for a late one any more
  }

  /** Sends the peer's ping back, unless more wait for the network already than anybody honest asks. */
  #answer(payload: Buffer): void {
    if (this.#owedPongs >= MAX_PINGS_UNDER_WAY) return;
    this.#owedPongs++;
    const sent = () => {
      this.#owedPongs--;
    };
    this.#send(KIND.pong, Buffer.from(payload)).then(sent, sent);
  }

  /** The pipe has ended: whoever waits meets `error`. */
  end(error: WayleaveError): void {
    this.#ended = error;
    for (const { failed } of this.#underWay.values()) failed(error);
  }
}
