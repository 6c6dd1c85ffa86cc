// Hairpinning (RFC 4787 section 6) of a NAT outside our own. A connection to one's own outside endpoint is kept out by
// the inner NAT, which has heard nothing of it; two ports that dial each other's outside endpoint at one moment are let
// in: what hole punching between two homes behind one carrier's NAT would do (RFC 5128 section 3.4), done with oneself.
import type { WayleaveError } from '../errors.js';
import { type Endpoint, sameEndpoint } from '../net/endpoint.js';
import { dialTcp } from '../net/sockets.js';
import type { StreamStunClient } from '../stun/stream-client.js';
import type { TcpPath } from './tcp-connections.js';

/** For one SYN each way and their answers, milliseconds; the NAT is nearer than the server. */
const WAIT_MS = 200;
/** Before a dial that was reset is tried again, milliseconds: two that retried in step would miss each other. */
const RETRY_MS = { least: 4, most: 24 } as const;

/** Writes down that the two met; that they did not says nothing new. Both connections hold their mappings. */
export async function punchOneself(
  one: StreamStunClient,
  other: StreamStunClient,
  path: TcpPath,
): Promise<void> {
  const { found, clock, signal } = path;
  const outside = ({ local }: StreamStunClient) =>
    found.mapping.find(sample => sameEndpoint(sample.local, local))?.mapped;
  const [a, b] = [outside(one), outside(other)];
  if (!a || !b || sameEndpoint(a, one.local)) return; // nothing is translated
  using time = clock.deadline(Math.max(WAIT_MS, found.roundTripMs ?? 0), signal);
  const met = new AbortController();
  using within = clock.deadline(2 ** 30, [time.signal, met.signal]);
  const dial = async (localPort: number, remote: Endpoint) => {
    if (!(await connects(localPort, remote, { ...path, signal: within.signal }))) return;
    found.hairpin = { passed: true, tries: 2 };
    met.abort();
  };
  await Promise.all([dial(one.local.port, b), dial(other.local.port, a)]);
}

async function connects(
  localPort: number,
  remote: Endpoint,
  { localAddress, clock, signal }: TcpPath,
): Promise<boolean> {
  for (;;) {
    try {
      const socket = await dialTcp({ remote, localAddress, localPort, signal });
      socket.on('error', () => {}).destroy();
      return true;
    } catch (error) {
      const { code } = ((error as WayleaveError).cause ?? {}) as NodeJS.ErrnoException;
      if (signal.aborted || (code !== 'ECONNREFUSED' && code !== 'ECONNRESET')) return false;
      const waitMs = RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least);
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }
}
