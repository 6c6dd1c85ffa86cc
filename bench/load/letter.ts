// The messages that a load is made of: `send` frames, masked and ready, of which only recipient, ref and number
// are written anew. The number stands at the end of the box, where the recipient finds it without parsing.
import { mask, maskedText } from './wire.js';

/** Bytes of a box before base64: an offer or an answer with one dual-stack interface. */
const BOX_BYTES = 402;
const DIGITS = 10;
const NO_ID = 'a'.repeat(52);
/** Refs of ten digits, whatever the number: a letter's places stay where they are. */
const FIRST_REF = 1_000_000_000;
const HEADER_BYTES = 8;

const BOX = `${'A'.repeat((BOX_BYTES / 3) * 4 - DIGITS)}${FIRST_REF}`;
const TEXT = `{"type":"send","ref":${FIRST_REF},"to":"${NO_ID}","box":"${BOX}"}`;
const PLACES = {
  ref: TEXT.indexOf(`${FIRST_REF}`),
  to: TEXT.indexOf(NO_ID),
  number: TEXT.lastIndexOf(`${FIRST_REF}`),
};
const TEMPLATE = maskedText(TEXT);

export const LETTER_BYTES = TEMPLATE.length;

/** An id as it stands in a letter. */
export function addressed(id: string): Buffer {
  return mask(Buffer.from(id), PLACES.to);
}

/** Writes the letter of this number into `out`, at `at`. */
export function writeLetter(out: Buffer, at: number, to: Buffer, number: number): void {
  TEMPLATE.copy(out, at);
  to.copy(out, at + HEADER_BYTES + PLACES.to);
  const ref = `${FIRST_REF + number}`;
  for (const place of [PLACES.ref, PLACES.number]) {
    const from = at + HEADER_BYTES + place;
    out.write(ref, from, 'latin1');
    mask(out, place, from, from + DIGITS);
  }
}

/** The number in a delivery, or in an echoed letter: both end with the box. */
export function numberIn(payload: Buffer): number {
  return digits(payload, payload.length - DIGITS - 2) - FIRST_REF;
}

/** The numbers that a `sent` or `undelivered` frame speaks of. */
export function numbersIn(payload: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = payload.indexOf('[') + 1; payload[at - 1] !== 0x5d; at += DIGITS + 1)
    numbers.push(digits(payload, at) - FIRST_REF);
  return numbers;
}

function digits(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + DIGITS; i++) value = value * 10 + bytes[i]! - 0x30;
  return value;
}
