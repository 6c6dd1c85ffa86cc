// Who a node is: one Ed25519 key pair (RFC 8032) that signs, and an X25519 key pair (RFC 7748) derived from
// it to which others seal. The key file holds the Ed25519 private key alone, as PKCS #8 PEM (RFC 8410).
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';
import { constants, link, open, readFile, rm, writeFile } from 'node:fs/promises';
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

const keyFileError = (path: string, why: string, cause?: unknown) =>
  new WayleaveError('bad-key-file', `key file ${path}: ${why}`, cause === undefined ? {} : { cause });

/**
 * The identity in a key file; a missing file is created with mode 0600. Of several processes that create it at
 * once, one does, and all get that identity.
 * @throws WayleaveError `bad-key-file` when it cannot be read, is open to others, or holds no Ed25519 key.
 */
export async function loadIdentity(path: string): Promise<Identity> {
  const identity = (await readIdentity(path)) ?? (await createKeyFile(path)) ?? (await readIdentity(path));
  if (identity === undefined) throw keyFileError(path, 'is a link to a file that is not there');
  return identity;
}

/** Undefined: somebody else was faster. The file gets its name when it is whole: nobody reads half a key. */
async function createKeyFile(path: string): Promise<Identity | undefined> {
  const draft = `${path}.${randomUUID()}`;
  const identity = createIdentity();
  try {
    const pem = identity.privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFile(draft, pem, { flag: 'wx', mode: 0o600 });
    await link(draft, path);
    return identity;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return undefined;
    throw keyFileError(path, `cannot be created (${code ?? message})`, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Undefined: there is no such file. */
async function readIdentity(path: string): Promise<Identity | undefined> {
  // without O_NONBLOCK a pipe in the file's place would be waited for
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  const file = await open(path, flags).catch(cause => {
    if (cause.code === 'ENOENT') return undefined;
    throw keyFileError(path, `cannot be opened (${cause.code ?? cause.message})`, cause);
  });
  if (file === undefined) return undefined;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw keyFileError(path, 'is not a file');
    if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
      const mode = (stats.mode & 0o777).toString(8);
      throw keyFileError(path, `others may read it (mode ${mode}); run chmod 600 on it`);
    }
    if (stats.size > 16_384) throw keyFileError(path, 'is too large to be a key');
    return createIdentity(ed25519Key(path, await readFile(file)));
  } finally {
    await file.close();
  }
}

function ed25519Key(path: string, pem: Buffer): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw keyFileError(path, 'is not a PEM private key', cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw keyFileError(path, `holds a ${key.asymmetricKeyType} key, not Ed25519`);
  }
  return key;
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
