// Which protocols does the gateway speak? All are asked at once, and the answers are handed on in the order
// of preference: an early answer of a lesser protocol waits a moment for a better one.
import { abortError } from '../errors.js';
import type { Clock } from '../net/clock.js';
import type { MappingClient } from './mapping-protocol.js';

/** Longer than the first retransmission of PCP and NAT-PMP, so that one lost datagram changes no preference. */
const GRACE_MS = 300;

/**
 * Yields each client whose protocol the gateway speaks, the preferred ones first as far as known. Ends when
 * none is left; breaking out leaves the rest to `signal`.
 */
export async function* detectedClients(
  clients: readonly MappingClient[],
  clock: Clock,
  signal: AbortSignal,
  onFailure: (client: MappingClient, error: unknown) => void,
): AsyncGenerator<MappingClient> {
  const asking = new Map(
    clients.map(client => {
      const answer = client.detect(signal).then(
        () => true,
        error => {
          if (!signal.aborted) onFailure(client, error);
          return false;
        },
      );
      return [client, answer.then(speaks => ({ client, speaks }))] as const;
    }),
  );
  const speaking = new Set<MappingClient>();
  const settleOne = async () => {
    const { client, speaks } = await Promise.race(asking.values());
    asking.delete(client);
    if (speaks) speaking.add(client);
    if (signal.aborted) throw abortError(signal);
  };

  while (asking.size > 0 && speaking.size === 0) await settleOne();
  const grace = clock.deadline(GRACE_MS, signal);
  try {
    const over = new Promise<void>(resolve => {
      if (grace.signal.aborted) resolve();
      grace.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const isBest = () => clients.find(client => asking.has(client) || speaking.has(client));
    while (asking.has(isBest()!) && !grace.signal.aborted) await Promise.race([settleOne(), over]);
  } finally {
    grace[Symbol.dispose]();
  }
  if (signal.aborted) throw abortError(signal);

  for (;;) {
    while (speaking.size === 0 && asking.size > 0) await settleOne();
    const best = clients.find(client => speaking.has(client));
    if (!best) return;
    speaking.delete(best);
    yield best;
  }
}
