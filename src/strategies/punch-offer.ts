// The initiator's first word in a round of hole punching, said again until it is answered: the server is reached by TCP,
// which a lost segment can hold up for long.
import type { Heard } from '../signalling/channel.js';
import type { PeerMessage } from '../signalling/messages.js';
import { answerTo } from './answers.js';
import type { Attempt } from './strategy.js';

/** An answer takes two round trips through the server; then twice as long, and so on. */
const ASK_AGAIN_MS = 600;

/**
 * Sends the offer and waits for its answer; asks again when it stays out. What comes behind a lost segment is also what
 * shows TCP soonest that it is lost (RFC 8985), on all four ways between the two nodes and their server.
 */
export async function offerUntilAnswered(
  offer: PeerMessage<'punch-offer'>,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Heard<'punch-answer'>> {
  const { clock } = attempt;
  const channel = attempt.channel();
  const answered = new AbortController();
  using waiting = clock.deadline(2 ** 30, [signal, answered.signal]);
  const fits = ({ body }: Heard<'punch-answer'>) => body.round === offer.round;
  const answer = answerTo('punch-offer', channel, 'punch-answer', waiting.signal, fits);
  const again = async () => {
    for (let waitMs = ASK_AGAIN_MS; ; waitMs *= 2) {
      await clock.sleep(waitMs, waiting.signal);
      channel.send(offer, { signal }).catch(() => {}); // the first one's failure counts
    }
  };
  again().catch(() => {});
  try {
    return await Promise.race([answer, channel.send(offer, { signal }).then(() => answer)]);
  } finally {
    answered.abort();
    await answer.catch(() => {});
  }
}
