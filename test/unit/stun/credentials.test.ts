// Long-term credentials: from a challenge to a request that the server accepts (RFC 8489 section 9.2).
import { describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import type { Attribute } from '../../../src/stun/attributes.js';
import {
  authorize,
  featuresOf,
  longTermKey,
  nonceWith,
  opaqueString,
  userhash,
} from '../../../src/stun/credentials.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { stunError } from '../../../src/stun/error-codes.js';
import { verifyIntegrity } from '../../../src/stun/integrity.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { PASSWORD_ALGORITHMS } from '../../../src/stun/password-algorithms.js';

const alice = { username: 'alice', password: 'secret' };
const none = Buffer.alloc(0);
const both = [
  { algorithm: PASSWORD_ALGORITHMS['SHA-256'], parameters: none },
  { algorithm: PASSWORD_ALGORITHMS.MD5, parameters: none },
];

const challenge = (code: 401 | 403 | 438, ...attributes: Attribute[]) =>
  decodeMessage(
    encodeMessage({
      class: 'error',
      method: 'Allocate',
      transactionId: newTransactionId(),
      attributes: [['ERROR-CODE', stunError(code)], ...attributes],
    }),
  );

const answered = (authorization: NonNullable<ReturnType<typeof authorize>>) =>
  decodeMessage(
    encodeMessage({
      class: 'request',
      method: 'Allocate',
      transactionId: newTransactionId(),
      attributes: authorization.attributes,
      integrity: authorization.integrity,
    }),
  );

describe('a challenge is answered', () => {
  it('with MD5 and SHA-1 by default', () => {
    const answer = authorize(challenge(401, ['REALM', 'here'], ['NONCE', 'n1']), alice)!;
    const request = answered(answer);
    expect(request.get('USERNAME')).toBe('alice');
    expect(request.get('REALM')).toBe('here');
    expect(request.get('NONCE')).toBe('n1');
    expect(verifyIntegrity(request, longTermKey(alice, 'here'), 'sha1')).toBe(true);
    expect(request.has('MESSAGE-INTEGRITY-SHA256')).toBe(false);
  });

  it('with SHA-256 and a hidden name where the nonce says that the server can', () => {
    const nonce = nonceWith({ passwordAlgorithms: true, usernameAnonymity: true }, 'xyz');
    const offer: Attribute = ['PASSWORD-ALGORITHMS', both];
    const request = answered(authorize(challenge(401, ['REALM', 'here'], ['NONCE', nonce], offer), alice)!);
    expect(request.get('USERNAME')).toBeUndefined();
    expect(request.get('USERHASH')).toEqual(userhash('alice', 'here'));
    expect(request.get('PASSWORD-ALGORITHM')?.algorithm).toBe(PASSWORD_ALGORITHMS['SHA-256']);
    expect(request.get('PASSWORD-ALGORITHMS')).toEqual(both);
    const key = longTermKey(alice, 'here', PASSWORD_ALGORITHMS['SHA-256']);
    expect(verifyIntegrity(request, key, 'sha256')).toBe(true);
  });

  it('with the fresh nonce of a 438, in the realm of before', () => {
    const answer = authorize(challenge(438, ['NONCE', 'n2']), alice, { realm: 'here' })!;
    expect(answered(answer).get('NONCE')).toBe('n2');
    expect(answer.realm).toBe('here');
  });
});

describe('a challenge is left alone', () => {
  const nonce = nonceWith({ passwordAlgorithms: true, usernameAnonymity: false }, '');

  it('when somebody removed the password algorithms on the way', () => {
    expect(authorize(challenge(401, ['REALM', 'here'], ['NONCE', nonce]), alice)).toBeUndefined();
  });

  it('when no offered algorithm is known', () => {
    const offer: Attribute = ['PASSWORD-ALGORITHMS', [{ algorithm: 99, parameters: none }]];
    expect(authorize(challenge(401, ['REALM', 'here'], ['NONCE', nonce], offer), alice)).toBeUndefined();
  });

  it('when it is none, or lacks what the answer needs', () => {
    expect(authorize(challenge(403, ['REALM', 'here'], ['NONCE', 'n']), alice)).toBeUndefined();
    expect(authorize(challenge(401, ['NONCE', 'n']), alice)).toBeUndefined();
    expect(authorize(challenge(401, ['REALM', 'here']), alice)).toBeUndefined();
  });
});

describe('security features in the nonce', () => {
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('password algorithms %s, username anonymity %s', (passwordAlgorithms, usernameAnonymity) => {
    const features = { passwordAlgorithms, usernameAnonymity };
    expect(featuresOf(nonceWith(features, 'random'))).toEqual(features);
  });

  it('none in a nonce without the cookie, or cut off behind it', () => {
    const none = { passwordAlgorithms: false, usernameAnonymity: false };
    expect(featuresOf('AAADobMatJos2')).toEqual(none);
    expect(featuresOf('obMatJos2AA')).toEqual(none);
  });
});

describe('OpaqueString', () => {
  it('makes spaces alike, composes characters, and keeps the rest', () => {
    expect(opaqueString('a\u00a0b\u3000c')).toBe('a b c');
    expect(opaqueString('e\u0301')).toBe('\u00e9');
    expect(opaqueString('plain-ASCII:1!')).toBe('plain-ASCII:1!');
  });

  it('refuses nothing at all and control characters', () => {
    expect(() => opaqueString('')).toThrow(WayleaveError);
    expect(() => opaqueString('a\nb')).toThrow(WayleaveError);
  });
});
