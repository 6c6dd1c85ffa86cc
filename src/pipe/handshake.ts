// Both sides prove who they are before any application byte: mutual TLS 1.3 (RFC 8446) with self-signed Ed25519
// certificates (RFC 8410), on any byte stream. Who the peer is follows from its key alone; names, dates and
// authorities play no part. Left out on purpose: SNI, session resumption, early data.
import type { Duplex } from 'node:stream';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import { abortError, WayleaveError } from '../errors.js';
import { selfSignedCertificate } from '../identity/certificate.js';
import { type Identity, rawPublicKey } from '../identity/keys.js';
import { type NodeId, nodeIdFromBytes } from '../identity/node-id.js';
import { systemClock } from '../net/clock.js';
import { FrameDecoder } from './framing.js';

/** The application protocol (RFC 7301) that both sides must name. */
export const ALPN = 'wayleave/1';
/** 5 s: ten round trips of a bad link; nobody honest needs longer, and a staller holds a socket no longer. */
export const DEFAULT_HANDSHAKE_MS = 5000;

/** A connection whose far end has proved its identity. Whoever holds it owns it. */
export interface Secured {
  readonly socket: TLSSocket;
  /** Proved. */
  readonly peer: NodeId;
  readonly role: 'client' | 'server';
  /** Holds what came behind the frames already read. */
  readonly decoder: FrameDecoder;
  /** The hello went out and its answer is still to come: the first frame to arrive. */
  awaitingAccept: boolean;
  /** Resolves after the end: with the fault of what carried the connection, a relay say, if that was the cause. */
  readonly fault?: Promise<WayleaveError | undefined> | undefined;
}

export interface SecureOptions {
  readonly role: 'client' | 'server';
  /** Who it must be; without it anybody with an Ed25519 key is let through, and told apart by `peer`. */
  readonly expected?: NodeId | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole handshake. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** What `Secured` shall carry as its `fault`. */
  readonly fault?: Secured['fault'];
}

/** What a node shows in TLS and how it insists on it; also what a benchmark compares with. */
export function tlsCredentials(identity: Identity): SecureContextOptions {
  return {
    cert: selfSignedCertificate(identity),
    key: identity.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    ca: [], // nobody is believed by authority; also spares the loading of the system's list
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sigalgs: 'ed25519',
    ecdhCurve: 'X25519',
  };
}

const contexts = new WeakMap<Identity, SecureContext>();

function contextOf(identity: Identity): SecureContext {
  let context = contexts.get(identity);
  if (!context) contexts.set(identity, (context = createSecureContext(tlsCredentials(identity))));
  return context;
}

/**
 * Runs the handshake on `raw` and takes it over. On failure `raw` is destroyed and nothing stays behind.
 * @throws WayleaveError `handshake-failed`, `handshake-timeout`, `wrong-identity`, or the signal's abort error.
 */
export function secure(raw: Duplex, identity: Identity, options: SecureOptions): Promise<Secured> {
  const { role, expected, signal, timeoutMs = DEFAULT_HANDSHAKE_MS, fault } = options;
  return new Promise((resolve, reject) => {
    raw.on('error', ignore); // a reset may be reported on either layer, at any later time
    if (signal?.aborted || raw.destroyed) {
      raw.destroy();
      return reject(signal?.aborted ? abortError(signal) : failed('the connection is already closed'));
    }
    const deadline = systemClock.deadline(timeoutMs, signal);
    const socket = wrap(raw, role, contextOf(identity));
    const ready = role === 'client' ? 'secureConnect' : 'secure';
    const settle = () => {
      deadline[Symbol.dispose]();
      deadline.signal.removeEventListener('abort', onAbort);
      socket.off(ready, onReady).off('error', onError).off('end', onClose).off('close', onClose);
    };
    const fail = (error: WayleaveError) => {
      settle();
      socket.destroy();
      raw.destroy();
      reject(error);
    };
    const onReady = () => {
      const peer = provedIdentity(socket);
      if (peer instanceof WayleaveError) return fail(peer);
      if (expected !== undefined && peer !== expected) {
        return fail(new WayleaveError('wrong-identity', `expected ${expected}, but ${peer} answered`));
      }
      settle();
      socket.once('close', () => raw.destroy());
      resolve({ socket, peer, role, decoder: new FrameDecoder(), awaitingAccept: false, fault });
    };
    const onError = (cause: NodeJS.ErrnoException) => fail(failed(cause.code ?? cause.message, cause));
    const onClose = () => fail(failed('the other side closed the connection'));
    const onAbort = () => {
      if (signal?.aborted) return fail(abortError(signal));
      fail(new WayleaveError('handshake-timeout', `no handshake within ${timeoutMs} ms`));
    };
    socket.on('error', ignore);
    socket.once(ready, onReady).once('error', onError).once('end', onClose).once('close', onClose);
    deadline.signal.addEventListener('abort', onAbort, { once: true });
  });
}

function wrap(raw: Duplex, role: 'client' | 'server', secureContext: SecureContext): TLSSocket {
  const common = { secureContext, ALPNProtocols: [ALPN], rejectUnauthorized: false }; // checked below instead
  return role === 'client'
    ? tlsConnect({ ...common, socket: raw })
    : new TLSSocket(raw, { ...common, isServer: true, requestCert: true });
}

/** A TLS server completes the handshake even when the client shows no certificate: its absence is an error here. */
function provedIdentity(socket: TLSSocket): NodeId | WayleaveError {
  if (socket.alpnProtocol !== ALPN) return failed(`the other side does not speak ${ALPN}`);
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return failed('the other side showed no certificate');
  const key = rawPublicKey('ed25519', certificate.publicKey);
  return key ? nodeIdFromBytes(key) : failed('the other side’s key is not Ed25519');
}

function failed(why: string, cause?: unknown): WayleaveError {
  return new WayleaveError('handshake-failed', `handshake failed: ${why}`, cause ? { cause } : undefined);
}

function ignore(): void {}
