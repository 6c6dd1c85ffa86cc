// What one node writes to another through a server that must learn nothing: signed by the sender, then sealed
// to the recipient's X25519 key with a key used once (the shape of HPKE's base mode, RFC 9180: X25519,
// HKDF-SHA256, ChaCha20-Poly1305). The signature covers recipient and ephemeral key, so that a recipient
// cannot pass a message on as if it had been meant for somebody else.
//
//   box       = ephemeral public key (32) · ciphertext · tag (16)
//   plaintext = sender's public key (32) · signature (64) · payload
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { WayleaveError } from '../errors.js';
import { type Identity, publicKeyFromRaw, rawPublicKey, signFor, verifyFor } from './keys.js';
import { type NodeId, nodeIdFromBytes } from './node-id.js';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const TAG_BYTES = 16;
const PURPOSE = 'sealed/1';
/** How much longer a box is than its payload. */
export const SEAL_OVERHEAD = KEY_BYTES + KEY_BYTES + SIGNATURE_BYTES + TAG_BYTES;

function onceKey(secret: KeyObject, other: KeyObject, ephemeral: Buffer, recipient: Buffer) {
  const shared = diffieHellman({ privateKey: secret, publicKey: other });
  const info = Buffer.concat([Buffer.from('wayleave/seal/1'), ephemeral, recipient]);
  const derived = Buffer.from(hkdfSync('sha256', shared, '', info, 44));
  return { key: derived.subarray(0, 32), nonce: derived.subarray(32) };
}

/**
 * Signs and seals. `recipientKey` is the recipient's raw X25519 key, from its address.
 * @throws WayleaveError `bad-address` when no secret can be shared with that key (RFC 7748, section 6.1).
 */
export function seal(sender: Identity, recipientKey: Buffer, payload: Uint8Array): Buffer {
  const pair = generateKeyPairSync('x25519');
  const ephemeral = rawPublicKey('x25519', createPublicKey(pair.privateKey))!;
  const { key, nonce } = keyFor(recipientKey, pair.privateKey, ephemeral);
  const signature = signFor(PURPOSE, sender, Buffer.concat([recipientKey, ephemeral, payload]));
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  return Buffer.concat([
    ephemeral,
    cipher.update(Buffer.concat([sender.publicKey, signature, payload])),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

function keyFor(recipientKey: Buffer, secret: KeyObject, ephemeral: Buffer) {
  try {
    return onceKey(secret, publicKeyFromRaw('x25519', recipientKey), ephemeral, recipientKey);
  } catch (cause) {
    throw new WayleaveError('bad-address', 'the sealing key is not a usable X25519 key', { cause });
  }
}

/** Opens a box sealed to `recipient` and checks who signed it; undefined if anything at all is wrong. */
export function unseal(recipient: Identity, box: Uint8Array): { from: NodeId; payload: Buffer } | undefined {
  if (box.length < SEAL_OVERHEAD) return undefined;
  const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
  const ephemeral = bytes.subarray(0, KEY_BYTES);
  let plain: Buffer;
  try {
    const other = publicKeyFromRaw('x25519', ephemeral);
    const { key, nonce } = onceKey(recipient.sealingPrivateKey, other, ephemeral, recipient.sealingPublicKey);
    const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    plain = Buffer.concat([decipher.update(bytes.subarray(KEY_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
  const from = nodeIdFromBytes(plain.subarray(0, KEY_BYTES));
  const signature = plain.subarray(KEY_BYTES, KEY_BYTES + SIGNATURE_BYTES);
  const payload = plain.subarray(KEY_BYTES + SIGNATURE_BYTES);
  const signed = Buffer.concat([recipient.sealingPublicKey, ephemeral, payload]);
  return verifyFor(PURPOSE, from, signed, signature) ? { from, payload } : undefined;
}
