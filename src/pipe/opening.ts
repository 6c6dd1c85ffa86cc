// The first words on a secured connection: the TLS client says what it is for (`hello`), the TLS server agrees
// (`accept`) or not (`close` with code `refused`). Until then no application byte flows.
import { z } from 'zod';
import { abortError, WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import { closeContent, closeError, parseClose } from './close-reason.js';
import { encodeControl, type Frame, KIND } from './framing.js';
import { DEFAULT_HANDSHAKE_MS, type Secured } from './handshake.js';

/** 2 s: what a goodbye may take before the connection is cut. */
export const DRAIN_MS = 2000;

const helloSchema = z.object({
  /** `open`: the TLS client wants a pipe. `dial-back`: it was asked to dial, the TLS server is the initiator. */
  purpose: z.enum(['open', 'dial-back']),
  /** The attempt that this connection belongs to, for both sides' logs and for matching a dial-back. */
  attempt: z.string().min(1).max(64),
});
export type Hello = z.infer<typeof helloSchema>;

export interface OpeningOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the answer or the hello to arrive. Default 5,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Says hello. With `waitForAccept: false` it returns at once, for a peer that has agreed through signalling;
 * its answer is then taken in by the Pipe. On failure the connection is destroyed.
 * @throws WayleaveError `refused`, `handshake-timeout`, `handshake-failed`, `protocol-error` or the abort error.
 */
export async function sendHello(
  secured: Secured,
  hello: Hello,
  { waitForAccept, ...options }: OpeningOptions & { readonly waitForAccept: boolean },
): Promise<void> {
  secured.socket.write(encodeControl(KIND.hello, hello));
  secured.awaitingAccept = true;
  if (!waitForAccept) return;
  const { kind, payload } = await firstFrame(secured, options);
  if (kind !== KIND.accept) {
    secured.socket.destroy();
    if (kind === KIND.close) throw closeError(parseClose(payload));
    throw new WayleaveError('protocol-error', `a frame of kind ${kind} came in answer to hello`);
  }
  secured.awaitingAccept = false;
}

/**
 * Waits for the other side's hello. On failure the connection is destroyed.
 * @throws WayleaveError `handshake-timeout`, `handshake-failed`, `protocol-error` or the abort error.
 */
export async function receiveHello(secured: Secured, options: OpeningOptions = {}): Promise<Hello> {
  const { kind, payload } = await firstFrame(secured, options);
  if (kind === KIND.hello) {
    try {
      return helloSchema.parse(JSON.parse(payload.toString()));
    } catch {
      // falls through
    }
  }
  secured.socket.destroy();
  throw new WayleaveError('protocol-error', 'the first frame is not a readable hello');
}

/** Agrees to what the hello asked for. */
export function accept(secured: Secured): void {
  secured.socket.write(encodeControl(KIND.accept));
}

/** Turns the peer away, with a sentence for people, and closes. Never rejects; done within 2 s. */
export function refuse(secured: Secured, message = 'this node does not admit you'): Promise<void> {
  const { socket } = secured;
  return new Promise(resolve => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), DRAIN_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once('end', () => socket.destroy());
    socket.end(encodeControl(KIND.close, closeContent('refused', message)));
    socket.resume(); // what the peer still says is not read by anybody
  });
}

function firstFrame({ socket, decoder }: Secured, options: OpeningOptions): Promise<Frame> {
  const { signal, timeoutMs = DEFAULT_HANDSHAKE_MS } = options;
  return new Promise((resolve, reject) => {
    const deadline = systemClock.deadline(timeoutMs, signal);
    const settle = () => {
      deadline[Symbol.dispose]();
      deadline.signal.removeEventListener('abort', onAbort);
      socket.off('data', onData).off('end', onGone).off('close', onGone);
      socket.pause();
    };
    const fail = (error: unknown) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      try {
        decoder.push(chunk);
        const frame = decoder.next();
        if (!frame) return;
        settle();
        resolve(frame);
      } catch (error) {
        fail(error);
      }
    };
    const onGone = () => {
      fail(new WayleaveError('handshake-failed', 'the other side closed the connection in the opening'));
    };
    const onAbort = () => {
      if (signal?.aborted) return fail(abortError(signal));
      fail(new WayleaveError('handshake-timeout', `no word from the other side within ${timeoutMs} ms`));
    };
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) return onAbort();
    if (socket.destroyed || socket.readableEnded) return onGone();
    socket.on('data', onData).once('end', onGone).once('close', onGone);
    socket.resume();
  });
}
