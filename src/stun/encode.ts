// A STUN message written into bytes: header, attributes in the given order, then integrity, then the
// fingerprint (RFC 8489 sections 6.1, 9 and 14). Sizes are known before the one allocation.
import { randomFillSync } from 'node:crypto';
import { WayleaveError } from '../errors.js';
import { type Attribute, type AttributeName, comprehensionRequired, rowOf } from './attributes.js';
import { fingerprint } from './fingerprint.js';
import { INTEGRITY, type IntegrityHash, integrityOf } from './integrity.js';
import { HEADER_BYTES, MAGIC_COOKIE, type StunMessage } from './message.js';
import { METHODS, type MessageClass, type MethodName, packType } from './message-type.js';

/** A message to encode. */
export interface MessagePlan {
  readonly class: MessageClass;
  readonly method: MethodName | number;
  /** 12 bytes, or 16 to answer a classic message. */
  readonly transactionId: Buffer;
  readonly attributes?: readonly Attribute[];
  /** Seal with this key; both hashes are allowed, SHA-1 first (RFC 8489 section 9.1). */
  readonly integrity?: Integrity | undefined;
  /** End with a FINGERPRINT. Default: false. */
  readonly fingerprint?: boolean;
  /** The byte that fills attributes up to a multiple of 4. Default: 0, as RFC 8489 wants; vectors differ. */
  readonly paddingByte?: number;
}

export interface Integrity {
  readonly key: Buffer;
  /** Default: `['sha1']`. */
  readonly hashes?: readonly IntegrityHash[];
}

const DEFAULT_HASHES: readonly IntegrityHash[] = ['sha1'];
const NO_ATTRIBUTES: readonly Attribute[] = [];

// Random bytes are drawn in bulk: one call to the system for 256 ids.
const pool = Buffer.allocUnsafe(12 * 256);
let drawn = pool.length;

/** 96 random bits (RFC 8489 section 5: uniformly and randomly chosen, cryptographically). */
export function newTransactionId(): Buffer {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const id = Buffer.allocUnsafe(12);
  pool.copy(id, 0, drawn, (drawn += 12));
  return id;
}

/** @throws WayleaveError `bad-option` when a value does not fit its attribute or the whole exceeds 65,535 bytes. */
export function encodeMessage(plan: MessagePlan): Buffer {
  const { attributes = NO_ATTRIBUTES, integrity, transactionId } = plan;
  const hashes = integrity ? (integrity.hashes ?? DEFAULT_HASHES) : undefined;
  let size = HEADER_BYTES;
  for (const [key, value] of attributes) {
    const bytes = typeof key === 'number' ? (value as Buffer).length : rowOf(key).size(value);
    size += 4 + ((bytes + 3) & ~3);
  }
  if (hashes) for (const hash of hashes) size += 4 + INTEGRITY[hash].bytes;
  if (plan.fingerprint) size += 8;
  if (size - HEADER_BYTES > 0xfffc) throw new WayleaveError('bad-option', `a STUN message of ${size} bytes`);

  const bytes = Buffer.allocUnsafe(size);
  writeHeader(bytes, plan, size, transactionId);
  let at = HEADER_BYTES;
  for (const [key, value] of attributes) at = writeAttribute(bytes, at, key, value, plan.paddingByte ?? 0);
  if (hashes) {
    for (const hash of hashes) {
      const { attribute, bytes: length } = INTEGRITY[hash];
      const mac = integrityOf(bytes, at, integrity!.key, hash);
      at = writeAttribute(bytes, at, attribute, mac.subarray(0, length), 0);
    }
  }
  if (plan.fingerprint) writeAttribute(bytes, at, 'FINGERPRINT', fingerprint(bytes, at), 0);
  return bytes;
}

function writeHeader(bytes: Buffer, plan: MessagePlan, size: number, transactionId: Buffer): void {
  const method = typeof plan.method === 'number' ? plan.method : METHODS[plan.method];
  const type = packType(method, plan.class);
  const length = size - HEADER_BYTES;
  bytes[0] = type >> 8;
  bytes[1] = type & 0xff;
  bytes[2] = length >> 8;
  bytes[3] = length & 0xff;
  if (transactionId.length === 12) bytes.writeUInt32BE(MAGIC_COOKIE, 4);
  else if (transactionId.length !== 16) {
    throw new WayleaveError('bad-option', `a transaction id of ${transactionId.length} bytes`);
  }
  const start = HEADER_BYTES - transactionId.length;
  for (let i = 0; i < transactionId.length; i++) bytes[start + i] = transactionId[i]!;
}

function writeAttribute(
  bytes: Buffer,
  at: number,
  key: AttributeName | number,
  value: unknown,
  paddingByte: number,
): number {
  let type: number;
  let length: number;
  if (typeof key === 'number') {
    type = key;
    length = (value as Buffer).copy(bytes, at + 4);
  } else {
    const row = rowOf(key);
    type = row.type;
    length = row.size(value);
    row.write(value, bytes, at + 4);
  }
  bytes[at] = type >> 8;
  bytes[at + 1] = type & 0xff;
  bytes[at + 2] = length >> 8;
  bytes[at + 3] = length & 0xff;
  const end = at + 4 + length;
  const next = (end + 3) & ~3;
  for (let i = end; i < next; i++) bytes[i] = paddingByte;
  return next;
}

/**
 * The types in a message that must be understood and are not: what a 420 answer lists (RFC 8489 section 6.3.1).
 * @param understood the types that this receiver knows.
 */
export function notUnderstood(message: StunMessage, understood: (type: number) => boolean): number[] {
  return message.types().filter(type => comprehensionRequired(type) && !understood(type));
}
