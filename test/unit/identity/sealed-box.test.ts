// security.md rows 14 and 15: a box opens for its recipient, as it was made, or not at all.
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createIdentity,
  type Identity,
  publicKeyFromRaw,
  rawPublicKey,
  signFor,
} from '../../../src/identity/keys.js';
import { SEAL_OVERHEAD, seal, unseal } from '../../../src/identity/sealed-box.js';

const alice = createIdentity();
const bob = createIdentity();
const carol = createIdentity();
const boxFor = (to: Identity, text = 'dial me back') => seal(alice, to.sealingPublicKey, Buffer.from(text));

describe('a sealed box', () => {
  it.each([0, 1, 15, 16, 17, 1000, 16_384])(
    'of %i bytes opens for its recipient and names its sender',
    length => {
      const payload = randomBytes(length);
      const box = seal(alice, bob.sealingPublicKey, payload);
      expect(box.length).toBe(length + SEAL_OVERHEAD);
      const opened = unseal(bob, box);
      expect(opened?.from).toBe(alice.id);
      expect(opened?.payload.equals(payload)).toBe(true);
    },
  );

  it('shows neither sender nor payload, and is never the same twice', () => {
    const box = boxFor(bob, 'x'.repeat(100));
    expect(box.includes(alice.publicKey)).toBe(false);
    expect(box.includes('xxxx')).toBe(false);
    expect(box.equals(boxFor(bob, 'x'.repeat(100)))).toBe(false);
  });

  it('opens for nobody else, its sender included', () => {
    expect(unseal(carol, boxFor(bob))).toBeUndefined();
    expect(unseal(alice, boxFor(bob))).toBeUndefined();
  });

  it('may lie anywhere in a larger buffer', () => {
    const box = boxFor(bob);
    const within = new Uint8Array(box.length + 20);
    within.set(box, 7);
    expect(unseal(bob, within.subarray(7, 7 + box.length))?.from).toBe(alice.id);
  });
});

describe('10,000 mutations of boxes, none of which opens', () => {
  let tried = 0;
  const refused = (box: Uint8Array) => {
    tried++;
    if (unseal(bob, box) !== undefined) throw new Error(`opened: ${Buffer.from(box).toString('hex')}`);
  };

  it('every bit flipped', () => {
    for (const text of ['', 'dial me back', 'x'.repeat(120), 'y'.repeat(400)]) {
      const box = boxFor(bob, text);
      for (let bit = 0; bit < box.length * 8; bit++) {
        const flipped = Buffer.from(box);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        refused(flipped);
      }
      expect(unseal(bob, box)?.payload.toString()).toBe(text); // the twin
    }
  });

  it('every truncation at either end, and bytes added', () => {
    const box = boxFor(bob, 'z'.repeat(300));
    for (let length = 0; length < box.length; length++) {
      refused(box.subarray(0, length));
      refused(box.subarray(box.length - length));
    }
    for (let length = 1; length < 100; length++) refused(Buffer.concat([box, Buffer.alloc(length)]));
  });

  it('every splice of two boxes', () => {
    const [one, other] = [boxFor(bob, 'first message'), boxFor(bob, 'other message')];
    for (let at = 1; at < one.length; at++) refused(Buffer.concat([one.subarray(0, at), other.subarray(at)]));
  });

  it('and noise', () => {
    for (let i = 0; i < 1000; i++) refused(randomBytes(i));
    expect(tried).toBeGreaterThanOrEqual(10_000);
  });
});

// What a recipient, or anybody with keys of their own, could build with the same primitives.
function layerKey(shared: Buffer, ephemeral: Buffer, recipient: Buffer) {
  const info = Buffer.concat([Buffer.from('wayleave/seal/1'), ephemeral, recipient]);
  const derived = Buffer.from(hkdfSync('sha256', shared, '', info, 44));
  return [derived.subarray(0, 32), derived.subarray(32)] as const;
}

function openLayer(recipient: Identity, box: Buffer): Buffer {
  const ephemeral = box.subarray(0, 32);
  const publicKey = publicKeyFromRaw('x25519', ephemeral);
  const shared = diffieHellman({ privateKey: recipient.sealingPrivateKey, publicKey });
  const decipher = createDecipheriv(
    'chacha20-poly1305',
    ...layerKey(shared, ephemeral, recipient.sealingPublicKey),
    { authTagLength: 16 },
  );
  decipher.setAuthTag(box.subarray(-16));
  return Buffer.concat([decipher.update(box.subarray(32, -16)), decipher.final()]);
}

function closeLayer(to: Identity, plain: (ephemeral: Buffer) => Buffer): Buffer {
  const { privateKey } = generateKeyPairSync('x25519');
  const ephemeral = rawPublicKey('x25519', createPublicKey(privateKey))!;
  const shared = diffieHellman({ privateKey, publicKey: publicKeyFromRaw('x25519', to.sealingPublicKey) });
  const keys = layerKey(shared, ephemeral, to.sealingPublicKey);
  const cipher = createCipheriv('chacha20-poly1305', ...keys, { authTagLength: 16 });
  return Buffer.concat([ephemeral, cipher.update(plain(ephemeral)), cipher.final(), cipher.getAuthTag()]);
}

describe('a box that is well sealed and wrongly signed', () => {
  const payload = Buffer.from('dial me back');
  const signedBy = (signer: Identity, name: Identity, purpose: string) =>
    closeLayer(bob, ephemeral => {
      const signature = signFor(purpose, signer, Buffer.concat([bob.sealingPublicKey, ephemeral, payload]));
      return Buffer.concat([name.publicKey, signature, payload]);
    });

  it('opens when everything is right: these tests build boxes as the product does', () => {
    expect(unseal(bob, signedBy(alice, alice, 'sealed/1'))?.from).toBe(alice.id);
  });

  it('is refused when a stranger signs in another name', () => {
    expect(unseal(bob, signedBy(carol, alice, 'sealed/1'))).toBeUndefined();
  });

  it('is refused when the signature was made for another purpose', () => {
    expect(unseal(bob, signedBy(alice, alice, 'address/1'))).toBeUndefined();
  });

  it('is refused when a recipient passes on what was meant for it', () => {
    const plain = openLayer(bob, boxFor(bob));
    expect(
      unseal(
        carol,
        closeLayer(carol, () => plain),
      ),
    ).toBeUndefined();
    expect(
      unseal(
        bob,
        closeLayer(bob, () => plain),
      ),
    ).toBeUndefined(); // nor may it be sealed again for himself
  });
});

describe('a recipient key that is no key', () => {
  // Points of small order (RFC 7748, section 6.1): every secret "shared" with them is zero.
  it.each(['00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, 'ab', ''])(
    '%s is a typed error',
    hex => {
      expect(() => seal(alice, Buffer.from(hex, 'hex'), Buffer.from('x'))).toThrow(
        expect.objectContaining({ code: 'bad-address' }),
      );
    },
  );

  it('as the ephemeral key of a box opens nothing', () => {
    const box = boxFor(bob);
    box.fill(0, 0, 32);
    expect(unseal(bob, box)).toBeUndefined();
  });
});
