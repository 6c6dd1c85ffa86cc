// One relayed TCP connection (RFC 6062 section 5): two ends, each a socket that may come later. When both are
// there the bytes flow, each way no faster than its receiver reads.

import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';

/** How long an end may be awaited (RFC 6062 section 5.4). */
const BIND_MS = 30_000;
/** How long what is under way may still take after the allocation has ended. */
const DRAIN_MS = 30_000;
/** How long a receiver that does not read may keep a connection that is to be closed. */
const LINGER_MS = 10_000;

export interface JunctionHooks {
  /** Hears how much passes which way (from end 0: true), and says how long to rest after it, in ms. */
  onBytes(fromFirst: boolean, bytes: number): number;
  onJoined(): void;
  onClosed(): void;
}

export class Junction {
  readonly #ends: [Socket | undefined, Socket | undefined] = [undefined, undefined];
  readonly #hooks: JunctionHooks;
  readonly #untilMs: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #state: 'waiting' | 'joined' | 'closed' = 'waiting';

  constructor(nowMs: number, hooks: JunctionHooks) {
    this.#untilMs = nowMs + BIND_MS;
    this.#hooks = hooks;
  }

  /** Gives the junction one of its ends; false when it has that one already, or is closed. */
  attach(side: 0 | 1, socket: Socket): boolean {
    if (this.#state !== 'waiting' || this.#ends[side]) return false;
    this.#ends[side] = socket;
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => this.close());
    const [first, second] = this.#ends;
    if (first && second) {
      this.#state = 'joined';
      this.#flow(first, second, true);
      this.#flow(second, first, false);
      this.#hooks.onJoined();
    }
    if (socket.destroyed) this.close();
    return true;
  }

  sweep(nowMs: number): void {
    if (this.#state === 'waiting' && nowMs >= this.#untilMs) this.close();
  }

  /**
   * The allocation has ended. Both clients may have said all they had to say, and closed: what they sent before is
   * still passed on, for they cannot know how far it has come.
   */
  drain(): void {
    if (this.#state === 'waiting') this.close();
    else if (this.#state === 'joined') this.#timers.add(setTimeout(() => this.close(), DRAIN_MS));
  }

  /** What was already written still goes out, unless its receiver does not read. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#ends) {
      if (!socket || socket.closed) continue;
      socket.destroySoon();
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once('close', () => clearTimeout(timer));
    }
    this.#hooks.onClosed();
  }

  #flow(from: Socket, to: Socket, fromFirst: boolean): void {
    let held = 0; // reasons not to read: an unread backlog, the bandwidth cap
    const hold = () => {
      if (held++ === 0) from.pause();
    };
    const free = () => {
      if (--held === 0) from.resume();
    };
    from.on('data', (chunk: Buffer) => {
      const restMs = this.#hooks.onBytes(fromFirst, chunk.length);
      if (!to.write(chunk)) {
        hold();
        to.once('drain', free);
      }
      if (restMs > 0) {
        hold();
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          free();
        }, restMs);
        this.#timers.add(timer);
      }
    });
    from.once('end', () => to.end());
  }
}

/** A connection id that nobody guesses, though ConnectionBind asks for the user's credentials too. */
export function newConnectionId(taken: { has(id: number): boolean }): number {
  for (;;) {
    const id = randomInt(1, 2 ** 32);
    if (!taken.has(id)) return id;
  }
}
