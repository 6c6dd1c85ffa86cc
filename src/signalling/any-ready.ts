// When a node counts as registered: as soon as one of its servers has it.
import { abortError, WayleaveError } from '../errors.js';
import type { SignallingChannel } from './channel.js';

/** @throws WayleaveError `server-unreachable` naming each server and why, `closed`, or the abort error. */
export async function anyReady(channels: readonly SignallingChannel[], signal?: AbortSignal): Promise<void> {
  if (channels.length === 0) {
    throw new WayleaveError('server-unreachable', 'no signalling server is configured');
  }
  try {
    await Promise.any(channels.map(channel => channel.ready(signal)));
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const failures = (error as AggregateError).errors as WayleaveError[];
    const closed = failures.find(({ code }) => code === 'closed');
    if (closed) throw closed;
    const text = failures.map(({ message }) => message).join('; ');
    throw new WayleaveError('server-unreachable', text, { cause: error });
  }
}
