// The client's data connections of RFC 6062 sections 4.3 to 4.5: a fresh connection to the server, one
// ConnectionBind on it, and from then on it is the peer's byte stream.
import type { Socket } from 'node:net';
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { type Clock, systemClock } from '../net/clock.js';
import type { Authorization } from '../stun/credentials.js';
import { FramedStream } from '../stun/framed-stream.js';
import { decodeMessage } from '../stun/message.js';
import { Driver } from './driver.js';
import { Requests } from './requests.js';
import { openStream } from './server-stream.js';
import type { TurnServer } from './turn-server.js';

export interface BindOptions {
  readonly connectionId: number;
  /** The control connection's: spares this one the challenge where the server allows it. */
  readonly authorization: Authorization | undefined;
  /** A connection to the server on which nothing was said yet. Default: one is opened. */
  readonly opened?: Socket | undefined;
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches the connection with this id. The socket is the caller's, paused, nothing of the stream lost.
 * @throws WayleaveError `dial-failed`, `request-failed` (TurnError), `no-answer`, `connection-lost` or the abort error.
 */
export async function bindConnection(server: TurnServer, options: BindOptions): Promise<Socket> {
  const { connectionId, authorization, clock = systemClock, signal } = options;
  const socket = options.opened ?? (await openStream(server, signal));
  const credentials = { username: server.username, password: server.credential };
  const requests = new Requests({ server: server.endpoint, credentials, reliable: true, authorization });
  const stream = new FramedStream(socket, {
    onFrame: frame => {
      if (frame.kind !== 'stun') return;
      try {
        requests.receive(decodeMessage(frame.bytes), clock.now());
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
      driver.pump();
    },
    onClosed: error => requests.fail(error, clock.now()),
  });
  using driver = new Driver(clock, requests, bytes => stream.write(bytes));
  const onAbort = () => requests.fail(abortError(signal!), clock.now());
  try {
    return await new Promise<Socket>((resolve, reject) => {
      requests.start(clock.now(), 'ConnectionBind', [['CONNECTION-ID', connectionId]], outcome => {
        // At once, not after a turn of the loop: the very next byte belongs to the stream.
        if (outcome.ok)
          resolve(stream.release().on('error', () => {})); // 'close' follows, and tells
        else reject(outcome.error);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      driver.pump();
    });
  } catch (error) {
    stream.close();
    throw error instanceof WayleaveError
      ? error
      : new WayleaveError('connection-lost', String(error), { cause: error });
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
