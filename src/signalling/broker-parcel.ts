// What lies on a node's topics at a broker, where anybody may write. A box is preceded by a tag under the recipient's
// sealing key: who has never seen that node's address cannot make one, so what such people write is told apart by one
// hash and costs no public-key operation. A receipt is signed by the recipient.
//
//   parcel   = tag (16: HMAC-SHA256 under the sealing key, cut) · box
//   receipt  = SHA-256 of the box (32) · signature (64)
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Identity, signFor, verifyFor } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import { SEAL_OVERHEAD } from '../identity/sealed-box.js';
import { MAX_BOX_BYTES } from './frames.js';

const TAG_BYTES = 16;
const DIGEST_BYTES = 32;
const RECEIPT_BYTES = DIGEST_BYTES + 64;
const PURPOSE = 'receipt/1';
/** Longest payload on any topic of a node. */
export const MAX_PARCEL_BYTES = TAG_BYTES + MAX_BOX_BYTES;

const tagOf = (sealingKey: Buffer, box: Uint8Array) =>
  createHmac('sha256', sealingKey).update(box).digest().subarray(0, TAG_BYTES);

export function wrapBox(sealingKey: Buffer, box: Buffer): Buffer {
  return Buffer.concat([tagOf(sealingKey, box), box]);
}

/** The box, if somebody who knows our sealing key wrapped it. */
export function unwrapBox(sealingKey: Buffer, parcel: Buffer): Buffer | undefined {
  if (parcel.length <= TAG_BYTES + SEAL_OVERHEAD || parcel.length > MAX_PARCEL_BYTES) return undefined;
  const box = parcel.subarray(TAG_BYTES);
  return timingSafeEqual(tagOf(sealingKey, box), parcel.subarray(0, TAG_BYTES)) ? box : undefined;
}

/** What names a box in its receipt: a key for a Map. */
export function digestOf(box: Uint8Array): string {
  return createHash('sha256').update(box).digest('base64url');
}

export function receiptFor(recipient: Identity, digest: string): Buffer {
  const bytes = Buffer.from(digest, 'base64url');
  return Buffer.concat([bytes, signFor(PURPOSE, recipient, bytes)]);
}

/** The digest that a receipt is for, on nobody's word yet; undefined: it is none. */
export function receiptDigest(receipt: Buffer): string | undefined {
  if (receipt.length !== RECEIPT_BYTES) return undefined;
  return receipt.subarray(0, DIGEST_BYTES).toString('base64url');
}

/** Whether that node signed it. */
export function isReceiptOf(recipient: NodeId, receipt: Buffer): boolean {
  return verifyFor(PURPOSE, recipient, receipt.subarray(0, DIGEST_BYTES), receipt.subarray(DIGEST_BYTES));
}
