// The published vectors, byte for byte in both directions (RFC 5769; RFC 8489 appendix B.1), and what
// happens to them cut short or with a bit flipped.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/errors.js';
import { longTermKey, userhash } from '../../../src/stun/credentials.js';
import { encodeMessage } from '../../../src/stun/encode.js';
import { verifyIntegrity } from '../../../src/stun/integrity.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { PASSWORD_ALGORITHMS } from '../../../src/stun/password-algorithms.js';

interface Vector {
  section: string;
  title: string;
  password: string;
  username?: string;
  realm?: string;
  paddingByte: number;
  hex: string[];
}

const load = (name: string): Vector[] =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8')).vectors;

const vectors = [...load('rfc5769'), ...load('rfc8489')].map(vector => {
  const bytes = Buffer.from(vector.hex.join(''), 'hex');
  const hash = vector.section === 'B.1' ? ('sha256' as const) : ('sha1' as const);
  const { username, realm, password } = vector;
  const key =
    username && realm
      ? longTermKey(
          { username, password },
          realm,
          hash === 'sha256' ? PASSWORD_ALGORITHMS['SHA-256'] : undefined,
        )
      : Buffer.from(password);
  return { ...vector, bytes, hash, key };
});

describe.each(vectors)('vector $section: $title', ({ section, bytes, key, hash, paddingByte }) => {
  it('decodes and verifies', () => {
    const message = decodeMessage(bytes);
    expect(message.methodName).toBe('Binding');
    expect(verifyIntegrity(message, key, hash)).toBe(true);
    expect(verifyIntegrity(message, Buffer.from('another key'), hash)).toBe(false);
  });

  it('is made again byte for byte from what was decoded, unknown attributes included', () => {
    const message = decodeMessage(bytes);
    const again = encodeMessage({
      class: message.class,
      method: message.method,
      transactionId: message.transactionId,
      attributes: message.attributes(),
      integrity: { key, hashes: [hash] },
      fingerprint: message.has('FINGERPRINT'),
      paddingByte,
    });
    expect(again.toString('hex')).toBe(bytes.toString('hex'));
  });

  it('cut short anywhere, is refused', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeMessage(bytes.subarray(0, length))).toThrow(DecodeError);
    }
  });

  it('with any one bit under its integrity flipped, is refused or fails it', () => {
    const sealed = decodeMessage(bytes).offsetOf('FINGERPRINT') ?? bytes.length;
    for (let bit = 0; bit < sealed * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      let accepted = false;
      try {
        accepted = verifyIntegrity(decodeMessage(flipped), key, hash);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
      expect(accepted, `bit ${bit} of vector ${section}`).toBe(false);
    }
  });
});

describe('what the vectors say', () => {
  const message = (section: string) => decodeMessage(vectors.find(v => v.section === section)!.bytes);

  it('2.1: software, username and two attributes of ICE, which we do not know', () => {
    expect(message('2.1').class).toBe('request');
    expect(message('2.1').get('SOFTWARE')).toBe('STUN test client');
    expect(message('2.1').get('USERNAME')).toBe('evtj:h6vY');
    expect(
      message('2.1')
        .attributes()
        .filter(([name]) => typeof name === 'number'),
    ).toHaveLength(2);
  });

  it('2.2 and 2.3: the mapped address, IPv4 and IPv6', () => {
    expect(message('2.2').class).toBe('success');
    expect(message('2.2').get('XOR-MAPPED-ADDRESS')).toEqual({ host: '192.0.2.1', port: 32853 });
    const host = '2001:db8:1234:5678:11:2233:4455:6677';
    expect(message('2.3').get('XOR-MAPPED-ADDRESS')).toEqual({ host, port: 32853 });
  });

  it('2.4: names beyond ASCII', () => {
    expect(message('2.4').get('USERNAME')).toBe('マトリックス');
    expect(message('2.4').get('NONCE')).toBe('f//499k954d6OL34oL9FSTvy64sA');
  });

  it('B.1: the hidden username', () => {
    expect(message('B.1').get('USERHASH')).toEqual(userhash('マトリックス', 'example.org'));
    expect(message('B.1').get('PASSWORD-ALGORITHM')?.algorithm).toBe(PASSWORD_ALGORITHMS['SHA-256']);
  });
});
