// Dialling back: how a client on TCP learns what its NAT lets in. It holds a connection to us, listens on the
// same local port, and asks with CHANGE-REQUEST; we connect from another address or port to the endpoint that
// this very connection comes from. With RESPONSE-PORT it has a port that a gateway opened for it tried: the same
// address, that port. Never another address. Our extension of RFC 5780 (docs/nat-behaviour.md).
import { WayleaveError } from '../../src/errors.js';
import type { Clock } from '../../src/net/clock.js';
import type { Endpoint } from '../../src/net/endpoint.js';
import { dialTcp } from '../../src/net/sockets.js';
import type { DialBack } from '../../src/stun/attributes.js';

/** Several SYNs, each from its own port, because one may be lost: the kernel repeats only after 1 s. */
const TRIES = 8;
const TRY_EVERY_MS = 120;
/** After the last SYN; a client further away than this cannot be told from one that filters. */
const LAST_WAIT_MS = 350;

/**
 * Tries to connect from an address of ours to a client.
 * `connected`: it let us in; `refused`: a reset came back; `silent`: nothing did. Never rejects.
 */
export async function dialBack(
  remote: Endpoint,
  localAddress: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<DialBack> {
  const settled = new AbortController();
  const stop = () => settled.abort(new WayleaveError('aborted', 'the dial-back is decided'));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let outcome: DialBack['outcome'] = 'silent';
  let tries = 0;
  const dials: Promise<void>[] = [];
  const dial = async () => {
    try {
      const socket = await dialTcp({ remote, localAddress, signal: settled.signal });
      socket.on('error', () => {}); // it has served its purpose
      socket.destroy();
      outcome = 'connected';
    } catch (error) {
      const code = ((error as WayleaveError).cause as NodeJS.ErrnoException | undefined)?.code;
      if (code === 'ECONNREFUSED' && outcome === 'silent') outcome = 'refused';
      else if (code === 'EADDRNOTAVAIL' || code === 'EINVAL')
        outcome = 'not-tried'; // our own fault
      else return;
    }
    stop();
  };
  try {
    while (tries < TRIES && !settled.signal.aborted) {
      tries++;
      dials.push(dial());
      await clock.sleep(tries < TRIES ? TRY_EVERY_MS : LAST_WAIT_MS, settled.signal).catch(() => {});
    }
    // After a stall of this process timers run before what has arrived is read: let that come first.
    await clock.sleep(1, settled.signal).catch(() => {});
    stop();
    await Promise.all(dials);
    return { outcome, tries };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
