// How far away a server is: the least of a few pings (RFC 6455 section 5.5.2) right after registration. One alone says
// too much where a machine is busy, and hole punching starts its clock by this (strategies/punch.ts).
import type { WebSocket } from 'ws';
import type { Clock } from '../net/clock.js';

const PINGS = 3;

/** Calls `onLess` whenever a ping took less than `ms` and all before it. */
export function measureRoundTrip(
  socket: WebSocket,
  clock: Clock,
  ms: number,
  onLess: (ms: number) => void,
): void {
  let least = ms;
  let sentAt = clock.now();
  let sent = 0;
  const ping = () => {
    if (sent === PINGS || socket.readyState !== socket.OPEN) {
      socket.off('pong', onPong);
      return;
    }
    sent++;
    sentAt = clock.now();
    socket.ping();
  };
  const onPong = () => {
    const tookMs = clock.now() - sentAt;
    if (tookMs < least) onLess((least = tookMs));
    ping();
  };
  socket.on('pong', onPong);
  ping();
}
