// What a connect says through signalling, said once to oneself: the first message of each kind costs several times what
// the next one does (zod compiles each schema when it is first used). A node does this while it waits for its server.
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '../identity/keys.js';
import { systemClock } from '../net/clock.js';
import { Envelopes } from './envelope.js';
import { readServerFrame } from './frames.js';
import type { PeerMessage } from './messages.js';

const mapped = { host: '192.0.2.1', port: 1 };
const place: PeerMessage<'punch-answer'>['answer'] = {
  mapped,
  tcp: {
    kind: 'nat',
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    ports: { pattern: 'preserving' },
    unsolicitedSyn: 'drop',
  },
  recentPorts: [],
};

const SAID: readonly PeerMessage[] = [
  { type: 'punch-offer', address: 'wl1', round: 1, places: [place], roundTripMs: 1 },
  { type: 'punch-answer', round: 1, place: 0, answer: place, startInMs: 1 },
  { type: 'relay-offer', address: 'wl1', servers: [mapped] },
  { type: 'relay-address', relayed: mapped, transport: 'tcp' },
  { type: 'relay-answer', relayed: mapped },
];

/** In pieces of a few milliseconds. */
export async function rehearse(identity: Identity, signal: AbortSignal): Promise<void> {
  const envelopes = new Envelopes(identity, systemClock);
  const self = { id: identity.id, sealingKey: identity.sealingPublicKey };
  for (const body of SAID) {
    await turn();
    if (signal.aborted) return;
    const box = envelopes.seal(self, { attempt: 'rehearsal', side: 'initiator', body });
    await turn();
    envelopes.open(box);
    const frame = { from: identity.id, seenFrom: '192.0.2.1', box: box.toString('base64') };
    readServerFrame(JSON.stringify({ type: 'deliver', ...frame }));
    readServerFrame(JSON.stringify({ type: 'sent', refs: [1] }));
  }
}
