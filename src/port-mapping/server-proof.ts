// Proof of a mapping by somebody outside: a STUN server is asked, over TCP, to dial the port that the gateway
// opened (our extension of RFC 5780, docs/nat-behaviour.md). It does so only for an address that we come from.
import { abortError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { familyOf } from '../net/ip-scope.js';
import type { Attribute } from '../stun/attributes.js';
import { mappedAddress, successOf } from '../stun/client.js';
import { StreamStunClient } from '../stun/stream-client.js';

/** A server that does not answer must leave time for the next one: the whole proof has 5 s. */
const SERVER_LIMIT_MS = 3500;

/**
 * Whether connections reach `external`, by the word of the first server that sees us come from its host and
 * tries. Undefined: no server does, or none could try.
 * @throws WayleaveError the signal's abort error.
 */
export async function proveThroughServer(
  servers: readonly Endpoint[],
  external: Endpoint,
  localAddress: string,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<boolean | undefined> {
  const ofFamily = servers.filter(({ host }) => familyOf(host) === familyOf(external.host));
  for (const server of ofFamily) {
    using deadline = clock.deadline(SERVER_LIMIT_MS, signal);
    try {
      const verdict = await askToDial(server, external, localAddress, deadline.signal, clock);
      if (verdict !== undefined) return verdict;
    } catch {
      if (signal.aborted) throw abortError(signal);
    }
  }
  return undefined;
}

async function askToDial(
  server: Endpoint,
  external: Endpoint,
  localAddress: string,
  signal: AbortSignal,
  clock: Clock,
): Promise<boolean | undefined> {
  await using client = await StreamStunClient.open({ server, localAddress, signal, clock });
  const seen = successOf(await client.request({}, { signal }));
  if (mappedAddress(seen)?.host !== external.host) return undefined; // it would dial somebody else
  // From an address that the gateway has not heard of, where the server has one.
  const attributes: Attribute[] = [
    ['CHANGE-REQUEST', { address: seen.has('OTHER-ADDRESS'), port: true }],
    ['RESPONSE-PORT', external.port],
  ];
  const result = successOf(await client.request({ attributes }, { signal })).get('DIAL-BACK');
  if (!result || result.outcome === 'not-tried') return undefined;
  return result.outcome === 'connected';
}
