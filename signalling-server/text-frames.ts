// Text frames as a server sends them (RFC 6455, section 5.2: whole, not masked), as strings of one byte a character:
// many of them joined are one write, and writes are most of what a routed message costs.

const WHOLE_TEXT = '\x81';
/** Payload lengths that say: the length follows in 16 or in 64 bits. */
const FOLLOWS = { in16Bits: 126, in64Bits: 127 } as const;

/** A frame around ASCII text. */
export function textFrame(ascii: string): string {
  return `${WHOLE_TEXT}${lengthField(ascii.length)}${ascii}`;
}

function lengthField(length: number): string {
  if (length < FOLLOWS.in16Bits) return String.fromCharCode(length);
  const low = String.fromCharCode((length >>> 8) & 0xff, length & 0xff);
  if (length <= 0xffff) return String.fromCharCode(FOLLOWS.in16Bits) + low;
  return `${String.fromCharCode(FOLLOWS.in64Bits, 0, 0, 0, 0, length >>> 24, (length >>> 16) & 0xff)}${low}`;
}

/** JSON in ASCII, whatever the names in it are written in. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
