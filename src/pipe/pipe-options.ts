// What a pipe is made with, and what it takes to send.
import { isAnyArrayBuffer } from 'node:util/types';
import type { AttemptOutcome } from '../errors.js';
import type { Endpoint } from '../net/endpoint.js';
import type { MessageHandlers } from './message-handlers.js';
import type { QueueLimits } from './message-queue.js';

/** How the connection came about, and its two ends as this side sees them. */
export interface Route {
  readonly strategy: AttemptOutcome['strategy'];
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** At the node that called `connect`: every strategy and how it ended, in the order tried. */
  readonly attempts?: readonly AttemptOutcome[] | undefined;
}

export interface PipeOptions<Via> {
  /** `outbound` at the node that called `connect`, whoever dialled. */
  readonly direction: 'outbound' | 'inbound';
  readonly route: Route;
  /** The attempt it came from: a field of its events. */
  readonly attempt?: string | undefined;
  /** The node's own handlers, called before this pipe's. */
  readonly nodeHandlers?: MessageHandlers<Via> | undefined;
  /** Hears what a handler or filter threw. Default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Bounds of the queue behind `recv`, and of what asynchronous handlers may have at work. */
  readonly queue?: QueueLimits | undefined;
  /** Milliseconds of own silence before a heartbeat. Default 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds of the peer's silence before the path counts as dead. Default 25,000. */
  readonly deadMs?: number | undefined;
}

/** What becomes of a handler's error when nobody asked to hear of it. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

/** What `send` takes; text goes out as UTF-8. */
export type Sendable = string | ArrayBufferView | ArrayBufferLike;

/** The bytes of a view or buffer, not copied; undefined for anything else. */
export function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return isAnyArrayBuffer(data) ? new Uint8Array(data) : undefined;
}
