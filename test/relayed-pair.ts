// Two ends at relays that know of each other's relayed addresses, and the stream between them.
import type { Duplex } from 'node:stream';
import type { RelayEnd } from '../src/turn/relay-stream.js';

/** The connecting end's half of the stream, and the accepting end's; each owns its allocation. */
export async function streamBetween(connecting: RelayEnd, accepting: RelayEnd): Promise<[Duplex, Duplex]> {
  await accepting.admit(connecting.relayed);
  const accepted = accepting.accept(connecting.relayed);
  const [near, far] = await Promise.all([connecting.connect(accepting.relayed), accepted]);
  connecting.own(near);
  accepting.own(far);
  return [near, far];
}
