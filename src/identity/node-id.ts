// A node id is the node's Ed25519 public key, written as 52 characters of lower-case base32 (RFC 4648,
// section 6, no padding): one word to a double click, safe in file names, URLs, topics and command lines.

/** 52 characters `a-z2-7`: the 32 bytes of an Ed25519 public key. */
export type NodeId = string;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** The id of a raw 32-byte public key. */
export function nodeIdFromBytes(key: Uint8Array): NodeId {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of key) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/** The raw 32-byte public key of an id, or undefined if the text is not one (or not its one spelling). */
export function nodeIdBytes(id: string): Buffer | undefined {
  if (!/^[a-z2-7]{52}$/.test(id)) return undefined;
  const bytes = Buffer.alloc(32);
  let at = 0;
  let bits = 0;
  let value = 0;
  for (const letter of id) {
    value = (value << 5) | ALPHABET.indexOf(letter);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = value >>> bits;
      value &= (1 << bits) - 1;
    }
  }
  return value === 0 ? bytes : undefined;
}

export function isNodeId(text: unknown): text is NodeId {
  return typeof text === 'string' && nodeIdBytes(text) !== undefined;
}
