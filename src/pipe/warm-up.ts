// The first handshake and the first sealed messages of a process cost many times what the others do: certificate, key
// schedule, code that has never run. A node does both with itself while it waits for its servers' answers, so that no
// connect pays for it.
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '../identity/keys.js';
import { rehearse } from '../signalling/rehearsal.js';
import { secure } from './handshake.js';

/** Never rejects; done within some 40 ms of processor time, in pieces. */
export async function warmUp(identity: Identity, signal: AbortSignal): Promise<void> {
  await rehearse(identity, signal);
  await turn();
  if (signal.aborted) return;
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
