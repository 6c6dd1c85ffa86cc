// Who sends a request: the server's half of the long-term credential mechanism (RFC 8489 section 9.2.4).
import type { Attribute } from '../../src/stun/attributes.js';
import { longTermKey } from '../../src/stun/credentials.js';
import type { Integrity } from '../../src/stun/encode.js';
import type { StunErrorNumber } from '../../src/stun/error-codes.js';
import { verifyIntegrity } from '../../src/stun/integrity.js';
import type { StunMessage } from '../../src/stun/message.js';
import { OFFERED_ALGORITHMS as OFFERED, PASSWORD_ALGORITHMS } from '../../src/stun/password-algorithms.js';
import { MAX_AMPLIFICATION } from '../stun/answers.js';
import type { Caller, RelayCore } from './core.js';
import { readUser } from './credentials.js';

export type Authentication =
  | { readonly caller: Caller; readonly integrity: Integrity }
  | {
      readonly refuse: StunErrorNumber;
      readonly attributes: readonly Attribute[];
      readonly integrity?: Integrity;
    };

/** Header, ERROR-CODE without words, and the frame of REALM: what a challenge has besides realm and nonce. */
const CHALLENGE_BYTES = 20 + 8 + 4;
const SHORT_NONCE_BYTES = 4 + 16;
/** The nonce with its cookie, and PASSWORD-ALGORITHMS. */
const FULL_NONCE_BYTES = 4 + 32 + 12;
const FINGERPRINT_BYTES = 8;

/** @param known a username that may go on although it has expired: its allocation was made in time. */
export function authenticate(
  core: RelayCore,
  message: StunMessage,
  host: string,
  known: string | undefined,
): Authentication {
  const nowMs = core.clock.now();
  const sha256 = message.has('MESSAGE-INTEGRITY-SHA256');
  if (!sha256 && !message.has('MESSAGE-INTEGRITY')) return challenge(core, message, host, 401);
  const username = message.get('USERNAME');
  const nonce = message.get('NONCE');
  const realm = message.get('REALM');
  // USERHASH is not offered: short-lived users are known by nothing but their names.
  if (username === undefined || nonce === undefined || realm === undefined)
    return { refuse: 400, attributes: [] };

  const user = realm === core.realm ? readUser(core.secret, username) : undefined;
  const valid = user && (user.expiresAt > core.clock.wall() || username === known);
  const algorithm = passwordAlgorithmOf(message);
  if (algorithm === undefined) return { refuse: 400, attributes: [] };
  if (!user || !valid) return challenge(core, message, host, 401);
  const key = longTermKey(user, realm, algorithm);
  if (!verifyIntegrity(message, key, sha256 ? 'sha256' : 'sha1')) return challenge(core, message, host, 401);

  const integrity: Integrity = { key, hashes: [sha256 ? 'sha256' : 'sha1'] };
  const fresh = core.nonces.check(nonce, host, nowMs);
  if (!fresh) return { ...challenge(core, message, host, 438), integrity };
  return { caller: { username, id: user.id }, integrity };
}

/** MD5 when nothing is said; undefined when what is said is not what we offered (the bid-down check). */
function passwordAlgorithmOf(message: StunMessage): number | undefined {
  const offered = message.get('PASSWORD-ALGORITHMS');
  const chosen = message.get('PASSWORD-ALGORITHM');
  if (!offered && !chosen) return PASSWORD_ALGORITHMS.MD5;
  if (!offered || !chosen || offered.length !== OFFERED.length) return undefined;
  const same = offered.every(
    (each, i) => each.algorithm === OFFERED[i]!.algorithm && each.parameters.length === 0,
  );
  if (!same || chosen.parameters.length !== 0) return undefined;
  return OFFERED.find(({ algorithm }) => algorithm === chosen.algorithm)?.algorithm;
}

function challenge(
  core: RelayCore,
  message: StunMessage,
  host: string,
  refuse: 401 | 438,
): { refuse: StunErrorNumber; attributes: readonly Attribute[] } {
  // A short request gets the challenge without SHA-256, or none: else it would be an amplifier (row 34).
  const most = message.bytes.length * MAX_AMPLIFICATION;
  const realm = (Buffer.byteLength(core.realm) + 3) & ~3;
  const least = CHALLENGE_BYTES + realm + (message.has('FINGERPRINT') ? FINGERPRINT_BYTES : 0);
  if (least + SHORT_NONCE_BYTES > most) return { refuse: 400, attributes: [] };
  const full = least + FULL_NONCE_BYTES <= most;
  const attributes: Attribute[] = [
    ['REALM', core.realm],
    ['NONCE', core.nonces.issue(host, full, core.clock.now())],
  ];
  if (full) attributes.push(['PASSWORD-ALGORITHMS', OFFERED]);
  return { refuse, attributes };
}
