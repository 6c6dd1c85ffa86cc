// MESSAGE-INTEGRITY (HMAC-SHA-1) and MESSAGE-INTEGRITY-SHA256: proof that the message was made by somebody
// who has the key, and was not altered since (RFC 8489 sections 14.5 and 14.6).
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { StunMessage } from './message.js';

export type IntegrityHash = 'sha1' | 'sha256';

export const INTEGRITY = {
  sha1: { attribute: 'MESSAGE-INTEGRITY', bytes: 20 },
  sha256: { attribute: 'MESSAGE-INTEGRITY-SHA256', bytes: 32 },
} as const;

/**
 * The HMAC over the first `end` bytes, with the header's length counted up to the end of an integrity
 * attribute of `valueBytes` that stands at `end`, whatever follows it.
 */
export function integrityOf(
  bytes: Buffer,
  end: number,
  key: Buffer,
  hash: IntegrityHash,
  valueBytes: number = INTEGRITY[hash].bytes,
): Buffer {
  const header = Buffer.allocUnsafe(4);
  bytes.copy(header, 0, 0, 2);
  header.writeUInt16BE(end + 4 + valueBytes - 20, 2);
  return createHmac(hash, key).update(header).update(bytes.subarray(4, end)).digest();
}

/**
 * Whether the message carries the integrity attribute of this hash and it was made with this key.
 * A SHA-256 value may be cut to no less than 16 bytes, in steps of 4 (RFC 8489 section 14.6).
 */
export function verifyIntegrity(message: StunMessage, key: Buffer, hash: IntegrityHash): boolean {
  const at = message.offsetOf(INTEGRITY[hash].attribute);
  if (at === undefined) return false;
  const length = message.bytes.readUInt16BE(at + 2);
  const full = INTEGRITY[hash].bytes;
  if (length > full || (hash === 'sha1' ? length !== full : length < 16 || length % 4 !== 0)) return false;
  const expected = integrityOf(message.bytes, at, key, hash, length).subarray(0, length);
  return timingSafeEqual(expected, message.bytes.subarray(at + 4, at + 4 + length));
}
