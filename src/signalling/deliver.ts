// One box, several servers that may know the recipient: registered channels in the order given, then those that
// are still connecting. Each has a head start on the next; the first that delivers ends the others.
import { abortError, WayleaveError } from '../errors.js';
import type { NodeId } from '../identity/node-id.js';
import type { Clock } from '../net/clock.js';
import type { SignallingChannel } from './channel.js';

/** A server answers within a round trip; one that has not by now may be stalled. */
const HEAD_START_MS = 500;

/** @throws WayleaveError when no channel delivered: the most telling of the reasons, all in the message. */
export function deliver(
  channels: readonly SignallingChannel[],
  to: NodeId,
  box: Buffer,
  { clock, signal }: { clock: Clock; signal?: AbortSignal | undefined },
): Promise<void> {
  const order = [...channels.filter(c => c.registered), ...channels.filter(c => !c.registered)];
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    if (order.length === 0) {
      return reject(new WayleaveError('server-unreachable', 'no signalling server is configured'));
    }
    const over = new AbortController();
    const failures: WayleaveError[] = [];
    let started = 0;
    const finish = (error?: WayleaveError) => {
      signal?.removeEventListener('abort', onAbort);
      over.abort();
      if (error) reject(error);
      else resolve();
    };
    const onAbort = () => finish(abortError(signal!));
    const start = (index: number) => {
      const channel = order[index];
      if (!channel || index < started || over.signal.aborted) return;
      started = index + 1;
      channel.send(to, box, { signal: over.signal }).then(
        () => finish(),
        (error: WayleaveError) => {
          failures.push(error);
          if (failures.length === order.length) finish(mostTelling(failures));
          else start(index + 1);
        },
      );
      clock.sleep(HEAD_START_MS, over.signal).then(
        () => start(index + 1),
        () => {}, // over
      );
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    start(0);
  });
}

/** A server that answered says more than one that did not; all messages are kept. */
function mostTelling(failures: readonly WayleaveError[]): WayleaveError {
  const found = (code: WayleaveError['code']) => failures.find(error => error.code === code);
  const first = found('peer-not-registered') ?? found('rate-limited') ?? failures[0]!;
  if (failures.length === 1) return first;
  const text = failures.map(({ message }) => message).join('; ');
  return new WayleaveError(first.code, text, { cause: new AggregateError(failures) });
}
