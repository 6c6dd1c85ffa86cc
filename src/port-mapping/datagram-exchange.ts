// One question, one answer, over a UDP socket that is connected to the gateway: nobody else's datagrams get
// in, and a closed port there is told at once (ICMP) instead of waited for.
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { familyOf, ipScope } from '../net/ip-scope.js';
import { bindUdp } from '../net/sockets.js';
import type { Gateway } from './gateway.js';
import type { GatewayPath } from './mapping-protocol.js';

/**
 * When to send again, after the first. RFC 6886 section 3.1 starts at 250 ms and doubles, RFC 6887 section
 * 8.1.1 starts at 3 s: a gateway is one hop away, so the former serves both. The last wait is for the answer.
 */
const WAITS_MS = [250, 500, 1000, 2000];

const CONTROL_PORT = 5351;

/** The gateway's address as a socket wants it: link-local needs its interface. */
export function gatewayHost({ address, zone }: Gateway): string {
  return familyOf(address) === 6 && ipScope(address) === 'link-local' ? `${address}%${zone}` : address;
}

/**
 * Sends `request` until `accept` returns something for a datagram; what it calls undefined is somebody
 * else's business and is waited past.
 * @throws WayleaveError `no-answer`, the DecodeError that `accept` threw, or the signal's abort error.
 */
export async function exchangeDatagrams<T>(
  { gateway, localAddress, clock }: GatewayPath,
  request: Uint8Array,
  accept: (datagram: Uint8Array) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  const socket = await bindUdp({ family: familyOf(localAddress), address: localAddress });
  const finished = new AbortController();
  const stop = (reason: unknown) => finished.abort(reason);
  const onAbort = () => stop(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort(); // while the socket was bound
  let answer: { value: T } | undefined;
  const noAnswer = (why: string) =>
    new WayleaveError('no-answer', `the gateway ${gateway.address} did not answer: ${why}`);
  try {
    socket.on('error', error => stop(noAnswer((error as NodeJS.ErrnoException).code ?? error.message)));
    socket.on('message', datagram => {
      try {
        const value = accept(datagram);
        if (value === undefined) return;
        answer = { value };
        stop(undefined);
      } catch (error) {
        if (error instanceof DecodeError && error.place !== 'version') return; // garbage is not an answer
        stop(error);
      }
    });
    socket.connect(gateway.controlPort ?? CONTROL_PORT, gatewayHost(gateway), (error?: Error) =>
      error ? stop(noAnswer(error.message)) : trySend(socket, request),
    );
    for (const waitMs of WAITS_MS) {
      await clock.sleep(waitMs, finished.signal);
      if (waitMs !== WAITS_MS.at(-1)) trySend(socket, request);
    }
    throw noAnswer('silence');
  } catch (error) {
    if (answer) return answer.value;
    throw finished.signal.aborted ? finished.signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  }
}

/** A send on a socket that is not connected yet throws (the next one makes up for it), and so on a closed one. */
function trySend(socket: Awaited<ReturnType<typeof bindUdp>>, request: Uint8Array): void {
  try {
    socket.send(request);
  } catch {}
}
