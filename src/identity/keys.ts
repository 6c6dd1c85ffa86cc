// Who a node is: one Ed25519 key pair (RFC 8032) that signs, and an X25519 key pair (RFC 7748) derived from
// it to which others seal. The key file holds the Ed25519 private key alone, as PKCS #8 PEM (RFC 8410).
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { WayleaveError } from '../errors.js';
import { type NodeId, nodeIdBytes, nodeIdFromBytes } from './node-id.js';

export interface Identity {
  /** The public key as text: what others know this node by. */
  readonly id: NodeId;
  /** Ed25519, raw, 32 bytes. */
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
  /** X25519, raw, 32 bytes: others seal messages to it. */
  readonly sealingPublicKey: Buffer;
  readonly sealingPrivateKey: KeyObject;
}

const PKCS8_PREFIX = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
};
const SPKI_PREFIX = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  x25519: Buffer.from('302a300506032b656e032100', 'hex'),
};
type Curve = keyof typeof SPKI_PREFIX;

/** A KeyObject from 32 raw bytes. */
export function publicKeyFromRaw(curve: Curve, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX[curve], raw]), format: 'der', type: 'spki' });
}

/** The 32 raw bytes of an Ed25519 or X25519 key's public half, or undefined for any other kind of key. */
export function rawPublicKey(curve: Curve, key: KeyObject): Buffer | undefined {
  if (key.asymmetricKeyType !== curve) return undefined;
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return half.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX[curve].length);
}

/** A fresh identity, or the one of a given Ed25519 private key. */
export function createIdentity(privateKey: KeyObject = generateKeyPairSync('ed25519').privateKey): Identity {
  const publicKey = rawPublicKey('ed25519', privateKey);
  if (publicKey === undefined || privateKey.type !== 'private') {
    throw new WayleaveError('bad-option', 'an identity needs an Ed25519 private key');
  }
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.ed25519.length);
  const sealingSeed = Buffer.from(hkdfSync('sha256', seed, '', 'wayleave/sealing-key/1', 32));
  const sealingPrivateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX.x25519, sealingSeed]),
    format: 'der',
    type: 'pkcs8',
  });
  const sealingPublicKey = rawPublicKey('x25519', sealingPrivateKey)!;
  return { id: nodeIdFromBytes(publicKey), publicKey, privateKey, sealingPublicKey, sealingPrivateKey };
}

/**
 * The identity in a key file; a missing file is created with mode 0600.
 * @throws WayleaveError `bad-key-file` when it cannot be read, is open to others, or holds no Ed25519 key.
 */
export async function loadIdentity(path: string): Promise<Identity> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      const identity = createIdentity();
      await file.writeFile(identity.privateKey.export({ format: 'pem', type: 'pkcs8' }));
      return identity;
    } finally {
      await file.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      const reason = (cause as Error).message;
      throw new WayleaveError('bad-key-file', `cannot create key file: ${reason}`, { cause });
    }
  }
  return readIdentity(path);
}

async function readIdentity(path: string): Promise<Identity> {
  const fail = (why: string, cause?: unknown) =>
    new WayleaveError('bad-key-file', `key file ${path}: ${why}`, cause === undefined ? {} : { cause });
  const file = await open(path, 'r').catch(cause => {
    throw fail(`cannot be opened (${cause.code})`, cause);
  });
  try {
    const { mode, size } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw fail(`others may read it (mode ${(mode & 0o777).toString(8)}); run chmod 600 on it`);
    }
    if (size > 16_384) throw fail('is too large to be a key');
    let key: KeyObject;
    try {
      key = createPrivateKey(await readFile(file));
    } catch (cause) {
      throw fail('is not a PEM private key', cause);
    }
    if (key.asymmetricKeyType !== 'ed25519') throw fail(`holds a ${key.asymmetricKeyType} key, not Ed25519`);
    return createIdentity(key);
  } finally {
    await file.close();
  }
}

/** Signs for one purpose: the same bytes signed for another purpose do not verify. */
export function signFor(purpose: string, identity: Identity, data: Uint8Array): Buffer {
  return sign(null, Buffer.concat([Buffer.from(`wayleave/${purpose}\0`), data]), identity.privateKey);
}

/** Whether `signature` over `data` for that purpose was made by the owner of the id. Never throws. */
export function verifyFor(purpose: string, id: NodeId, data: Uint8Array, signature: Uint8Array): boolean {
  const raw = nodeIdBytes(id);
  if (raw === undefined || signature.length !== 64) return false;
  try {
    const signed = Buffer.concat([Buffer.from(`wayleave/${purpose}\0`), data]);
    return verify(null, signed, publicKeyFromRaw('ed25519', raw), signature);
  } catch {
    return false;
  }
}
