// Who may register: whoever signs a challenge that was never used before, for this server and no other, with the
// key that its id is. So nobody registers as somebody else, not even a server that somebody else registers with.
import { randomBytes } from 'node:crypto';
import { DecodeError } from '../src/errors.js';
import { verifyFor } from '../src/identity/keys.js';
import {
  CLIENT_FRAMES,
  type ClientFrames,
  checkFrame,
  parseFrame,
  registrationProof,
} from '../src/signalling/frames.js';

/** A nonce for one connection. */
export function freshNonce(): string {
  return randomBytes(32).toString('base64url');
}

/** The first frame of a connection, which nothing but a registration may be. @throws DecodeError */
export function readRegister(data: Buffer, isBinary: boolean): ClientFrames['register'] {
  if (isBinary) throw new DecodeError('frame', 'binary');
  const frame = checkFrame(CLIENT_FRAMES, parseFrame(data.toString()));
  if (frame?.type !== 'register') throw new DecodeError('frame/type', 'register first');
  return frame as ClientFrames['register'];
}

/** Why a registration is turned down, or undefined when it is in order. */
export function whyNotAdmitted(
  frame: ClientFrames['register'],
  /** Of this connection's challenge; undefined: it has not been sent. */
  nonce: string | undefined,
  /** The Host header of the upgrade request. */
  hostHeader: string,
  publicHosts: readonly string[],
): string | undefined {
  if (nonce === undefined) return 'it is not your turn: wait for the challenge';
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
