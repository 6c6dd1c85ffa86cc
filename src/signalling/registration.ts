// One WebSocket connection to one server, from the dial to its end: answers the challenge, waits for the welcome,
// then hands over frames. A server that is silent for 45 s is dead (it pings every 20 s). Reconnecting is
// kept-connection.ts.
import { createHmac, randomBytes } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import type { RawData, WebSocket } from 'ws';
import { abortError, type ErrorCode, WayleaveError } from '../errors.js';
import { type Identity, signFor } from '../identity/keys.js';
import type { Clock, Deadline } from '../net/clock.js';
import {
  CLOSE_CODES,
  type ClientFrame,
  type Greeting,
  MAX_SERVER_FRAME_BYTES,
  readServerFrame,
  registrationProof,
  type ServerFrame,
} from './frames.js';
import { guardedLookup } from './guarded-lookup.js';
import type { Ended, Session } from './kept-connection.js';
import { measureRoundTrip } from './round-trip.js';
import { serverDialler } from './server-dialler.js';

/** From the dial, or when the server said it would be, to the welcome: three round trips, and a TLS handshake. */
const REGISTER_WITHIN_MS = 10_000;
/** Two pings and a little: one may be lost to a stall. */
const SILENCE_LIMIT_MS = 45_000;
/** Tells this process from others with the same key, and links none of its identities to another. */
const PROCESS_SECRET = randomBytes(32);
/** How long a close handshake may take before the socket is destroyed. */
const CLOSE_WITHIN_MS = 500;

/** Its round trip is the registration's, then the least of a few pings. */
export interface ServerSession extends Session {
  send(frame: ClientFrame): void;
}

export interface SessionOptions {
  readonly url: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly admitAddress?: ((ip: string) => boolean) | undefined;
  /** Each welcome: the first of them before `register` resolves. */
  readonly onGreeting: (greeting: Greeting) => void;
  /** Any other frame after the first welcome; undefined: of a type not known here. */
  readonly onFrame: (frame: ServerFrame | undefined) => void;
}

/**
 * Connects and registers.
 * @throws WayleaveError `server-unreachable`, `server-refused`, `protocol-error` or the abort error.
 */
export async function register(options: SessionOptions): Promise<ServerSession> {
  const { url, clock, signal } = options;
  const { WebSocket } = await import('ws');
  if (signal.aborted) throw abortError(signal);
  const life = new AbortController(); // ends with the connection, and with it every timer
  const socket = new WebSocket(url, {
    createConnection: serverDialler(url, life.signal),
    ...(options.admitAddress && { lookup: guardedLookup(options.admitAddress) }),
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: MAX_SERVER_FRAME_BYTES,
    maxFragments: 64,
    handshakeTimeout: REGISTER_WITHIN_MS,
    finishRequest: (request: ClientRequest) => {
      request.setNoDelay(true);
      request.end();
    },
  });
  return new Promise((resolve, reject) => {
    let deadline: Deadline;
    let failure: WayleaveError | undefined;
    let registered = false;
    let lastHeardAt = clock.now();
    let answeredAt = lastHeardAt;
    let firstRoundTripMs: number | undefined;
    let end: (how: Ended) => void;
    const ended = new Promise<Ended>(settle => {
      end = settle;
    });

    const fail = (error: WayleaveError) => {
      failure ??= error;
      socket.terminate();
    };
    const onDeadline = () => {
      const late = 'did not let this node register in time';
      fail(signal.aborted ? abortError(signal) : unreachable(url, late));
    };
    const letGo = () => {
      deadline[Symbol.dispose]();
      deadline.signal.removeEventListener('abort', onDeadline);
    };
    const registerWithin = (ms: number) => {
      deadline = clock.deadline(ms, signal);
      deadline.signal.addEventListener('abort', onDeadline, { once: true });
    };
    registerWithin(REGISTER_WITHIN_MS);

    const read = (data: RawData, isBinary: boolean) => {
      lastHeardAt = clock.now();
      if (failure) return;
      try {
        if (isBinary) throw new WayleaveError('protocol-error', 'a binary frame');
        const frame = readServerFrame(data.toString());
        if (frame?.type === 'challenge' && !registered) {
          socket.send(JSON.stringify(answer(options, frame)));
          answeredAt = clock.now();
        } else if (frame?.type === 'wait' && !registered) {
          firstRoundTripMs ??= clock.now() - answeredAt;
          letGo();
          registerWithin(frame.ms + REGISTER_WITHIN_MS);
        } else if (frame?.type === 'welcome') welcome(frame);
        else if (registered) options.onFrame(frame);
      } catch (cause) {
        const text = `${url} does not speak this protocol: ${(cause as Error).message}`;
        fail(new WayleaveError('protocol-error', text, { cause }));
      }
    };
    const welcome = (greeting: Greeting) => {
      options.onGreeting(greeting);
      if (registered) return;
      registered = true;
      letGo();
      let roundTripMs = firstRoundTripMs ?? clock.now() - answeredAt;
      resolve({
        get roundTripMs() {
          return roundTripMs;
        },
        send: frame => socket.send(JSON.stringify(frame)),
        ended,
        close: () => closeGently(socket, clock),
      });
      void watchSilence();
      measureRoundTrip(socket, clock, roundTripMs, ms => {
        roundTripMs = ms;
      });
    };
    const watchSilence = async () => {
      for (let waitMs = SILENCE_LIMIT_MS; waitMs > 0; ) {
        await clock.sleep(waitMs, life.signal).catch(() => {});
        if (life.signal.aborted) return;
        waitMs = lastHeardAt + SILENCE_LIMIT_MS - clock.now();
      }
      fail(unreachable(url, `was silent for ${SILENCE_LIMIT_MS / 1000} s`));
    };

    socket.on('message', read);
    socket.on('ping', () => {
      lastHeardAt = clock.now();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      failure ??= unreachable(url, cause.code ?? cause.message, cause);
    });
    socket.on('close', (code, reason) => {
      life.abort();
      letGo();
      failure ??= closedWith(url, code, reason.toString());
      reject(failure); // without effect once registered
      end({ error: failure, takenOver: code === CLOSE_CODES.takenOver });
    });
  });
}

function answer(
  { identity, url }: SessionOptions,
  { nonce }: { readonly nonce: string },
): ClientFrame & { type: 'register' } {
  const { host } = new URL(url);
  const signature = signFor('register/1', identity, registrationProof(nonce, host));
  const instance = createHmac('sha256', PROCESS_SECRET).update(identity.id).digest('base64url').slice(0, 16);
  return { type: 'register', id: identity.id, host, signature: signature.toString('base64url'), instance };
}

function unreachable(url: string, why: string, cause?: unknown): WayleaveError {
  return new WayleaveError('server-unreachable', `${url}: ${why}`, cause === undefined ? {} : { cause });
}

function closedWith(url: string, code: number, reason: string): WayleaveError {
  const refusals: readonly number[] = Object.values(CLOSE_CODES);
  const kind: ErrorCode = refusals.includes(code) ? 'server-refused' : 'server-unreachable';
  return new WayleaveError(kind, `${url}: closed by the server (${code}${reason && `, ${reason}`})`);
}

async function closeGently(socket: WebSocket, clock: Clock): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  using limit = clock.deadline(CLOSE_WITHIN_MS);
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  limit.signal.addEventListener('abort', () => socket.terminate(), { once: true });
  socket.close(1000);
  await closed;
}
