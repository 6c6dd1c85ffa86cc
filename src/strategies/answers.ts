// What the initiator of a strategy waits for: the peer's answer to its opener, or the refusal of that very opener,
// since several strategies of one attempt may be under way at once.
import type { AttemptChannel, Heard } from '../signalling/channel.js';
import type { MessageType } from '../signalling/messages.js';
import { REFUSALS, StrategyFailure } from './reasons.js';

/**
 * The first answer that fits.
 * @throws StrategyFailure with the peer's reason when it refuses; the abort error.
 */
export async function answerTo<Answer extends MessageType>(
  opener: MessageType,
  channel: AttemptChannel,
  answer: Answer,
  signal: AbortSignal,
  fits: (heard: Heard<Answer>) => boolean = () => true,
): Promise<Heard<Answer>> {
  const wanted: readonly MessageType[] = [answer, 'refused'];
  const { body, ...rest } = await channel.next(wanted, {
    signal,
    where: heard => (heard.body.type === 'refused' ? heard.body.of === opener : fits(heard as Heard<Answer>)),
  });
  if (body.type !== 'refused') return { body, ...rest } as Heard<Answer>;
  throw new StrategyFailure(REFUSALS.find(refusal => refusal === body.reason) ?? 'peer-could-not');
}

/** Rejects when the peer refuses what the opener asked for; never resolves. */
export async function refusalOf(
  opener: MessageType,
  channel: AttemptChannel,
  signal: AbortSignal,
): Promise<never> {
  await answerTo(opener, channel, 'refused', signal, () => false);
  throw new StrategyFailure('peer-could-not');
}
