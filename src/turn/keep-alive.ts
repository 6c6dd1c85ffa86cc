// What keeps NATs and firewalls between a client and its TURN server from forgetting it (RFC 8656 section 3.1,
// RFC 8489 section 2): a Binding indication now and then. Allocations, permissions and channels are renewed too seldom for
// that, and a way that is forgotten takes the allocation along, and the connections that run through it.
import type { Clock } from '../net/clock.js';
import { encodeMessage, newTransactionId } from '../stun/encode.js';

/** 15 s, like Tr of RFC 8445 section 11: UDP mappings live for 30 s and more, TCP's longer. */
const EVERY_MS = 15_000;

/** Says a word, which needs neither proof nor answer, so often until the signal. Never rejects. */
export async function keepAlive(
  clock: Clock,
  signal: AbortSignal,
  send: (bytes: Buffer) => void,
  everyMs = EVERY_MS,
): Promise<void> {
  for (;;) {
    await clock.sleep(everyMs, signal).catch(() => {});
    if (signal.aborted) return;
    const transactionId = newTransactionId();
    send(encodeMessage({ class: 'indication', method: 'Binding', transactionId, attributes: [] }));
  }
}
