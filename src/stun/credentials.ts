// Long-term credentials: the key that username, realm and password make, and the client's way through a
// server's challenge (401, 438) to a request that it accepts (RFC 8489 sections 9.2, 14.4 and 18.5).
// Left out: SASLprep of RFC 5389. OpaqueString took its place, and both leave plain ASCII as it is.
import { createHash } from 'node:crypto';
import { WayleaveError } from '../errors.js';
import type { Attribute } from './attributes.js';
import type { Integrity } from './encode.js';
import type { StunMessage } from './message.js';
import { PASSWORD_ALGORITHMS, type PasswordAlgorithm } from './password-algorithms.js';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Text as it goes into a hash: spaces of every kind become U+0020, then Unicode form C (RFC 8265 section 4.2).
 * @throws WayleaveError `bad-option` for empty text or control characters.
 */
export function opaqueString(text: string): string {
  const prepared = text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  if (prepared === '' || /\p{Cc}/u.test(prepared)) {
    throw new WayleaveError('bad-option', 'a credential is empty or has control characters');
  }
  return prepared;
}

/** The long-term key: a hash of `username:realm:password`. Default algorithm: MD5, which all servers know. */
export function longTermKey(
  { username, password }: Credentials,
  realm: string,
  algorithm: number = PASSWORD_ALGORITHMS.MD5,
): Buffer {
  const hash = createHash(algorithm === PASSWORD_ALGORITHMS['SHA-256'] ? 'sha256' : 'md5');
  return hash.update(`${username}:${opaqueString(realm)}:${opaqueString(password)}`).digest();
}

/** USERHASH: the username, hidden from who watches the wire (RFC 8489 section 14.4). */
export function userhash(username: string, realm: string): Buffer {
  return createHash('sha256')
    .update(`${opaqueString(username)}:${opaqueString(realm)}`)
    .digest();
}

// A nonce may begin with a cookie and 24 bits that say what the server can (RFC 8489 section 9.2).
const NONCE_COOKIE = 'obMatJos2';

export interface SecurityFeatures {
  readonly passwordAlgorithms: boolean;
  readonly usernameAnonymity: boolean;
}

/** What a nonce says about its server. */
export function featuresOf(nonce: string): SecurityFeatures {
  const bits = nonce.startsWith(NONCE_COOKIE)
    ? Buffer.from(nonce.slice(NONCE_COOKIE.length, NONCE_COOKIE.length + 4), 'base64')
    : Buffer.alloc(0);
  const set = bits.length === 3 ? bits[2]! : 0;
  return { passwordAlgorithms: (set & 1) !== 0, usernameAnonymity: (set & 2) !== 0 };
}

/** A nonce that says what this server can, before its own random part. */
export function nonceWith(features: SecurityFeatures, random: string): string {
  const set = (features.passwordAlgorithms ? 1 : 0) | (features.usernameAnonymity ? 2 : 0);
  return NONCE_COOKIE + Buffer.from([0, 0, set]).toString('base64') + random;
}

/** What to add to a request, and how to seal it, so that the server that made the challenge accepts it. */
export interface Authorization {
  readonly attributes: readonly Attribute[];
  readonly integrity: Integrity;
  readonly realm: string;
  readonly nonce: string;
}

/**
 * The answer to a challenge. 401 asks for credentials, 438 for the same with a fresh nonce; undefined when
 * the message is neither, lacks realm or nonce, or was stripped of its password algorithms (the bid-down
 * attack that RFC 8489 section 9.2.5 tells the client to leave unanswered). Whether to answer a second 401
 * is the caller's to decide: with the same credentials it is pointless.
 * @param previous the realm in use, for servers that leave it out of 438.
 * @throws DecodeError
 */
export function authorize(
  challenge: StunMessage,
  credentials: Credentials,
  previous?: Pick<Authorization, 'realm'>,
): Authorization | undefined {
  const code = challenge.get('ERROR-CODE')?.code;
  const realm = challenge.get('REALM') ?? previous?.realm;
  const nonce = challenge.get('NONCE');
  if ((code !== 401 && code !== 438) || realm === undefined || nonce === undefined) return undefined;

  return authorizeBy({ realm, nonce, offered: challenge.get('PASSWORD-ALGORITHMS') }, credentials);
}

/** What a server asks to be answered with: from a challenge, or told beforehand by another way. */
export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  /** PASSWORD-ALGORITHMS; needed where the nonce announces them. */
  readonly offered?: readonly PasswordAlgorithm[] | undefined;
}

/** The answer to realm and nonce; undefined when the password algorithms that the nonce announces are missing or strange. */
export function authorizeBy(
  { realm, nonce, offered }: Challenge,
  credentials: Credentials,
): Authorization | undefined {
  const features = featuresOf(nonce);
  if (features.passwordAlgorithms && !offered) return undefined;
  const chosen = features.passwordAlgorithms ? offered?.find(known) : undefined;
  if (features.passwordAlgorithms && !chosen) return undefined;

  const who: Attribute = features.usernameAnonymity
    ? ['USERHASH', userhash(credentials.username, realm)]
    : ['USERNAME', credentials.username];
  const attributes: Attribute[] = [who, ['REALM', realm], ['NONCE', nonce]];
  if (offered && chosen) attributes.push(['PASSWORD-ALGORITHMS', offered], ['PASSWORD-ALGORITHM', chosen]);
  const key = longTermKey(credentials, realm, chosen?.algorithm);
  return { attributes, integrity: { key, hashes: [chosen ? 'sha256' : 'sha1'] }, realm, nonce };
}

function known({ algorithm, parameters }: PasswordAlgorithm): boolean {
  return (Object.values(PASSWORD_ALGORITHMS) as number[]).includes(algorithm) && parameters.length === 0;
}
