// The first handshake, the first sealed message and the first of each kind cost a process many times what the others do:
// certificate, key schedule, checks that are compiled when first used. A node does all that with itself while it waits
// for its servers' answers, so that no connect pays for it.
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '../identity/keys.js';
import { systemClock } from '../net/clock.js';
import { Envelopes } from '../signalling/envelope.js';
import { SERVER_FRAMES } from '../signalling/frames.js';
import { MESSAGES } from '../signalling/messages.js';
import { secure } from './handshake.js';

/** Never rejects; done within some 40 ms of processor time, in pieces. */
export async function warmUp(identity: Identity, signal: AbortSignal): Promise<void> {
  await turn();
  if (signal.aborted) return;
  const envelopes = new Envelopes(identity, systemClock);
  const toMyself = { id: identity.id, sealingKey: identity.sealingPublicKey };
  envelopes.open(envelopes.seal(toMyself, { attempt: 'warm', side: 'initiator', body: { type: 'done' } }));
  for (const schema of [...Object.values(MESSAGES).map(row => row.schema), ...Object.values(SERVER_FRAMES)]) {
    await turn();
    schema.safeParse({}); // what it says is no matter
  }
  await turn();
  const [client, server] = loop();
  const ends = await Promise.allSettled([
    secure(client, identity, { role: 'client', signal }),
    secure(server, identity, { role: 'server', signal }),
  ]);
  for (const end of ends) if (end.status === 'fulfilled') end.value.socket.destroy();
  client.destroy();
  server.destroy();
}

/** Two streams: what is written to one is read from the other. For a few kilobytes, so nothing is held back. */
function loop(): [Duplex, Duplex] {
  const end = (other: () => Duplex) =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        setImmediate(() => {
          if (!other().destroyed) other().push(chunk);
          done();
        });
      },
    });
  const client: Duplex = end(() => server);
  const server: Duplex = end(() => client);
  return [client, server];
}
