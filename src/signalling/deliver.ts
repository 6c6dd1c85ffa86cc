// One box, several servers that may know the recipient: where it was last heard, else servers before brokers, which
// cannot vouch for where a request comes from; among equals those that are registered, in the order given. Each has a
// head start on the next; the first that delivers ends the others.
import { abortError, WayleaveError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { Recipient, SignallingChannel } from './channel.js';
import { isBroker } from './server-url.js';

/** A server answers within a round trip; one that has not by now may be stalled. */
const HEAD_START_MS = 500;

interface DeliverOptions {
  readonly clock: Clock;
  /** Where the recipient was last heard. */
  readonly heardOn?: SignallingChannel | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws WayleaveError when no channel delivered: the most telling of the reasons, all in the message. */
export function deliver(
  channels: readonly SignallingChannel[],
  to: Recipient,
  box: Buffer,
  { clock, heardOn, signal }: DeliverOptions,
): Promise<void> {
  const rank = (channel: SignallingChannel) =>
    channel === heardOn && channel.registered
      ? 0
      : 1 + (isBroker(channel.url) ? 2 : 0) + (channel.registered ? 0 : 1);
  const order = [...channels].sort((a, b) => rank(a) - rank(b));
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
