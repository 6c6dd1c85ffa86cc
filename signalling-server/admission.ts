// Who may register: whoever signs a challenge that was never used before, for this server and no other, with the
// key that its id is. So nobody registers as somebody else, not even a server that somebody else registers with.
import { randomBytes } from 'node:crypto';
import { DecodeError } from '../src/errors.js';
import { verifyFor } from '../src/identity/keys.js';
import type { NodeId } from '../src/identity/node-id.js';
import {
  CLIENT_FRAMES,
  type ClientFrames,
  checkFrame,
  parseFrame,
  registrationProof,
} from '../src/signalling/frames.js';
import { seatWay } from './backplane/seat-table.js';

/** A nonce for one connection. */
export function freshNonce(): string {
  return randomBytes(32).toString('base64url');
}

/** Why an answer to the challenge admits nobody. */
export interface NotAdmitted {
  readonly reason: 'protocol-error' | 'not-admitted';
  readonly why: string;
}

/** Whom the first frame of a connection proves, and by which way it comes: nothing but a registration it may be. */
export function readAnswer(
  data: Buffer,
  isBinary: boolean,
  nonce: string,
  hostHeader: string,
  publicHosts: readonly string[],
): { readonly id: NodeId; readonly way: string } | NotAdmitted {
  try {
    if (isBinary) throw new DecodeError('frame', 'binary');
    const frame = checkFrame(CLIENT_FRAMES, parseFrame(data.toString()));
    if (frame?.type !== 'register') throw new DecodeError('frame/type', 'register first');
    const registration = frame as ClientFrames['register'];
    const why = whyNotAdmitted(registration, nonce, hostHeader, publicHosts);
    if (why !== undefined) return { reason: 'not-admitted', why };
    return { id: registration.id, way: seatWay(registration.instance, registration.host) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { reason: 'protocol-error', why: error.message };
  }
}

/** Why a registration is turned down, or undefined when it is in order. */
export function whyNotAdmitted(
  frame: ClientFrames['register'],
  nonce: string,
  /** The Host header of the upgrade request. */
  hostHeader: string,
  publicHosts: readonly string[],
): string | undefined {
  const dialled = frame.host.toLowerCase();
  const meant =
    publicHosts.length > 0
      ? publicHosts.some(host => bareHost(host) === bareHost(dialled))
      : dialled === hostHeader.toLowerCase();
  if (!meant) return 'this server is not the host that you dialled; its --public-host names the right ones';
  const signature = Buffer.from(frame.signature, 'base64url');
  const proof = registrationProof(nonce, frame.host);
  return verifyFor('register/1', frame.id, proof, signature) ? undefined : 'the signature does not verify';
}

/** The host of `host`, `host:port`, `1.2.3.4:5`, `[::1]:6` or a bare `::1`: lower case, without brackets or port. */
export function bareHost(text: string): string {
  const lower = text.toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(lower);
  if (bracketed) return bracketed[1]!;
  return lower.indexOf(':') === lower.lastIndexOf(':') ? lower.replace(/:\d*$/, '') : lower;
}
