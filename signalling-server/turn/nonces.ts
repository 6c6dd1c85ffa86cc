// Nonces that need no memory: the time of issue and an HMAC over it and the client's address, under a key
// that lives as long as the process (RFC 8489 section 9.2, RFC 8656 section 5). A client may use its nonce
// from any of its ports, so a data connection needs no challenge of its own.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { featuresOf, nonceWith } from '../../src/stun/credentials.js';

/**
 * How long a nonce is good for; then 438 brings the next one. The longest that RFC 8656 section 5 recommends, for a
 * nonce also comes with the credentials of `grant`, which live for as long.
 */
const NONCE_MS = 3_600_000;
const TIME_BYTES = 4;
const MAC_BYTES = 8;

export class Nonces {
  readonly #key = randomBytes(32);

  /** @param sha256 whether the challenge offers password algorithms; the nonce says so, and cannot be changed. */
  issue(host: string, sha256: boolean, nowMs: number): string {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeUInt32BE(Math.floor(nowMs / 1_000) >>> 0);
    const own = Buffer.concat([time, this.#mac(time, host, sha256)]).toString('base64url');
    return sha256 ? nonceWith({ passwordAlgorithms: true, usernameAnonymity: false }, own) : own;
  }

  /** What the nonce says: whether it offered SHA-256, or undefined when it is not ours, or too old. */
  check(nonce: string, host: string, nowMs: number): { readonly sha256: boolean } | undefined {
    const sha256 = featuresOf(nonce).passwordAlgorithms;
    const own = Buffer.from(nonce.slice(-16), 'base64url');
    if (own.length !== TIME_BYTES + MAC_BYTES) return undefined;
    const time = own.subarray(0, TIME_BYTES);
    if (!timingSafeEqual(own.subarray(TIME_BYTES), this.#mac(time, host, sha256))) return undefined;
    const ageMs = nowMs - time.readUInt32BE(0) * 1_000;
    return ageMs >= -1_000 && ageMs <= NONCE_MS ? { sha256 } : undefined;
  }

  #mac(time: Buffer, host: string, sha256: boolean): Buffer {
    const mac = createHmac('sha256', this.#key)
      .update(time)
      .update(sha256 ? '1' : '0')
      .update(host);
    return mac.digest().subarray(0, MAC_BYTES);
  }
}
