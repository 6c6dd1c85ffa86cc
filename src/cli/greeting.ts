// What a signalling server says to a node that registers: asked for by commands that have no node of their own.
import { WayleaveError } from '../errors.js';
import { createIdentity } from '../identity/keys.js';
import { systemClock } from '../net/clock.js';
import type { Greeting } from '../signalling/frames.js';
import { isBroker, parseOwnServer } from '../signalling/server-url.js';

/** Longest wait for a server, milliseconds. */
const LIMIT_MS = 5000;

/**
 * Registers for a moment, under an id used once.
 * @throws WayleaveError `bad-option` for a broker, `server-unreachable` or the abort error.
 */
export async function greetingOf(text: string, signal: AbortSignal): Promise<Greeting> {
  const { url } = parseOwnServer(text);
  if (isBroker(url))
    throw new WayleaveError('bad-option', `${url} is an MQTT broker, which measures nothing`);
  const { createSignalling } = await import('../signalling/signalling.js');
  await using signalling = createSignalling({ identity: createIdentity(), servers: [url] });
  using deadline = systemClock.deadline(
    LIMIT_MS,
    signal,
    () => new WayleaveError('server-unreachable', `${url} did not answer within ${LIMIT_MS / 1000} s`),
  );
  await signalling.ready(deadline.signal);
  return signalling.channels[0]!.greeting!;
}
