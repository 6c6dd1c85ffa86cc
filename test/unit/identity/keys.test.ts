import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createIdentity,
  publicKeyFromRaw,
  rawPublicKey,
  signFor,
  verifyFor,
} from '../../../src/identity/keys.js';
import { isNodeId, nodeIdBytes } from '../../../src/identity/node-id.js';

const alice = createIdentity();
const bob = createIdentity();
const data = Buffer.from('data');

describe('an identity', () => {
  it('is the public key: as bytes and as a node id', () => {
    expect(isNodeId(alice.id)).toBe(true);
    expect(nodeIdBytes(alice.id)?.equals(alice.publicKey)).toBe(true);
    expect(alice.id).not.toBe(bob.id);
  });

  it('follows from the Ed25519 private key alone, sealing key included', () => {
    const again = createIdentity(alice.privateKey);
    expect(again.id).toBe(alice.id);
    expect(again.sealingPublicKey.equals(alice.sealingPublicKey)).toBe(true);
    expect(alice.sealingPublicKey.equals(alice.publicKey)).toBe(false);
  });

  it.each([
    ['an X25519 key', generateKeyPairSync('x25519').privateKey],
    ['an RSA key', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['a public key', generateKeyPairSync('ed25519').publicKey],
  ])('is not made of %s', (_, key) => {
    expect(() => createIdentity(key)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

describe('raw keys', () => {
  it('go there and back', () => {
    const key = publicKeyFromRaw('ed25519', alice.publicKey);
    expect(rawPublicKey('ed25519', key)?.equals(alice.publicKey)).toBe(true);
    expect(rawPublicKey('ed25519', alice.privateKey)?.equals(alice.publicKey)).toBe(true);
  });

  it('are not taken for those of another curve', () => {
    expect(rawPublicKey('x25519', alice.privateKey)).toBeUndefined();
    expect(rawPublicKey('ed25519', createPublicKey(alice.sealingPrivateKey))).toBeUndefined();
  });
});

describe('a signature', () => {
  const signature = signFor('test/1', alice, data);

  it('verifies for its purpose, signer and data', () => {
    expect(verifyFor('test/1', alice.id, data, signature)).toBe(true);
  });

  it.each([
    ['another purpose', 'test/2', alice.id, data, signature],
    ['another signer', 'test/1', bob.id, data, signature],
    ['other data', 'test/1', alice.id, Buffer.from('date'), signature],
    ['a purpose that takes a byte of the data', 'test/1\0d', alice.id, Buffer.from('ata'), signature],
    ['a cut signature', 'test/1', alice.id, data, signature.subarray(1)],
    ['an empty signature', 'test/1', alice.id, data, Buffer.alloc(0)],
    ['zeros', 'test/1', alice.id, data, Buffer.alloc(64)],
    ['an id that is none', 'test/1', 'nobody', data, signature],
    ['an id that is no point on the curve', 'test/1', `${'7'.repeat(51)}q`, data, signature],
  ])('does not verify for %s, and nothing is thrown', (_, purpose, id, bytes, made) => {
    expect(verifyFor(purpose, id, bytes, made)).toBe(false);
  });
});
