// Who sends a request: the server's half of the long-term credential mechanism (RFC 8489 section 9.2.4).
import type { Attribute } from '../../src/stun/attributes.js';
import { longTermKey } from '../../src/stun/credentials.js';
import type { Integrity } from '../../src/stun/encode.js';
import type { StunErrorNumber } from '../../src/stun/error-codes.js';
import { verifyIntegrity } from '../../src/stun/integrity.js';
import type { StunMessage } from '../../src/stun/message.js';
import { PASSWORD_ALGORITHMS, type PasswordAlgorithm } from '../../src/stun/password-algorithms.js';
import type { Caller, RelayCore } from './core.js';
import { readUser } from './credentials.js';

export type Authentication =
  | { readonly caller: Caller; readonly integrity: Integrity }
  | {
      readonly refuse: StunErrorNumber;
      readonly attributes: readonly Attribute[];
      readonly integrity?: Integrity;
    };

const none = Buffer.alloc(0);
const OFFERED: readonly PasswordAlgorithm[] = [
  { algorithm: PASSWORD_ALGORITHMS['SHA-256'], parameters: none },
  { algorithm: PASSWORD_ALGORITHMS.MD5, parameters: none },
];

/** Requests at least this long get the offer of SHA-256 too; to shorter ones it would be an amplifier (row 34). */
const FULL_CHALLENGE_BYTES = 36;
/** The shortest Allocate that can be meant: header and REQUESTED-TRANSPORT. What is shorter gets no challenge. */
const SHORT_CHALLENGE_BYTES = 28;

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
  const { length } = message.bytes;
  if (length < SHORT_CHALLENGE_BYTES) return { refuse: 400, attributes: [] };
  const full = length >= FULL_CHALLENGE_BYTES;
  const attributes: Attribute[] = [
    ['REALM', core.realm],
    ['NONCE', core.nonces.issue(host, full, core.clock.now())],
  ];
  if (full) attributes.push(['PASSWORD-ALGORITHMS', OFFERED]);
  return { refuse, attributes };
}
