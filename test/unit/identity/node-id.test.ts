import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNodeId, nodeIdBytes, nodeIdFromBytes } from '../../../src/identity/node-id.js';

const ID = nodeIdFromBytes(randomBytes(32));

describe('a node id', () => {
  it('is RFC 4648 base32 in lower case, without padding', () => {
    // section 10's vectors
    expect(nodeIdFromBytes(Buffer.from('foobar'))).toBe('mzxw6ytboi');
    expect(nodeIdFromBytes(Buffer.from('foob'))).toBe('mzxw6yq');
    expect(nodeIdFromBytes(Buffer.alloc(32))).toBe('a'.repeat(52));
  });

  it('reads back as the key it was made of', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), key => {
        const id = nodeIdFromBytes(key);
        expect(id).toMatch(/^[a-z2-7]{52}$/);
        expect(nodeIdBytes(id)?.equals(key)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('has one spelling', () => {
    const lastLetters = [...'abcdefghijklmnopqrstuvwxyz234567'].filter(letter =>
      isNodeId(`${'a'.repeat(51)}${letter}`),
    );
    expect(lastLetters).toEqual(['a', 'q']); // 52 letters hold 4 bits more than a key: they must be zero
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z2-7]{52}$/), text => {
        const key = nodeIdBytes(text);
        if (key) expect(nodeIdFromBytes(key)).toBe(text);
      }),
    );
  });

  it.each([
    ID.toUpperCase(),
    `${ID} `,
    `${ID}\n`,
    ID.slice(1),
    `${ID}a`,
    '',
    `${ID.slice(0, 51)}=`,
    `${ID.slice(0, 51)}а`,
  ])('is not %j', text => expect(isNodeId(text)).toBe(false));

  it.each([undefined, null, 7, {}, [ID], Buffer.alloc(32)])('is not a %o', value => {
    expect(isNodeId(value)).toBe(false);
    expect(isNodeId(ID)).toBe(true);
  });
});
