// Ephemeral credentials by the TURN REST convention (draft-uberti-behave-turn-rest-00): the username is
// `expiry:id`, the password an HMAC-SHA-1 of it under a secret that issuer and relay share. coturn with
// `use-auth-secret` accepts the same, so either can stand in the other's place.
import { createHmac } from 'node:crypto';
import { WayleaveError } from '../../src/errors.js';

/** The longest life of a credential that we issue, in seconds (security.md, row 33). */
export const MAX_CREDENTIAL_S = 3_600;

const MAX_ID_LENGTH = 200;

export interface RelayAccount {
  readonly username: string;
  readonly credential: string;
  /** Wall clock, in milliseconds since 1970: no new allocation from then on. */
  readonly expiresAt: number;
}

export interface RelayUser {
  readonly username: string;
  /** Who quotas are counted for: the part behind the expiry. */
  readonly id: string;
  readonly password: string;
  readonly expiresAt: number;
}

/**
 * Issues a credential.
 * @param id who it is for, 1 to 200 characters without control characters; quotas are counted by it.
 * @throws WayleaveError `bad-option`
 */
export function issue(secret: string, id: string, ttlS: number, wallMs: number): RelayAccount {
  if (id === '' || id.length > MAX_ID_LENGTH || /\p{Cc}/u.test(id)) {
    throw new WayleaveError('bad-option', `an id of 1 to ${MAX_ID_LENGTH} printable characters`);
  }
  if (!(ttlS > 0 && ttlS <= MAX_CREDENTIAL_S)) {
    throw new WayleaveError(
      'bad-option',
      `a credential lives for 1 to ${MAX_CREDENTIAL_S} seconds, not ${ttlS}`,
    );
  }
  const expiry = Math.floor(wallMs / 1_000 + ttlS);
  const username = `${expiry}:${id}`;
  return { username, credential: passwordOf(secret, username), expiresAt: expiry * 1_000 };
}

/** Reads a username; undefined when it is none of ours. Says nothing about its expiry, nor whether it is genuine. */
export function readUser(secret: string, username: string): RelayUser | undefined {
  const match = /^([0-9]{1,12}):(.+)$/su.exec(username);
  if (!match) return undefined;
  const expiresAt = Number(match[1]) * 1_000;
  return { username, id: match[2]!, password: passwordOf(secret, username), expiresAt };
}

function passwordOf(secret: string, username: string): string {
  return createHmac('sha1', secret).update(username).digest('base64');
}
