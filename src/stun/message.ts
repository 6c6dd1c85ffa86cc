// A STUN message read from bytes (RFC 8489 sections 5, 6.3 and 14):
//
//   0                   1                   2                   3
//   |0 0|   type: method and class |            length             |
//   |                     magic cookie 0x2112A442                   |
//   |                 transaction id (96 bits)                      |
//   |   attribute type             |       value's length          |
//   |   value, padded to a multiple of 4 …                          |
//
// Decoding checks the frame (header, attribute bounds, fingerprint) and copies nothing; a value is decoded
// when it is asked for. What follows an integrity attribute is not protected by it, and is not seen.
import { DecodeError } from '../errors.js';
import type { Attribute } from './attributes.js';
import { ATTRIBUTES, type AttributeName, type AttributeValue, attributeName } from './attributes.js';
import { fingerprint } from './fingerprint.js';
import { classOf, type MessageClass, type MethodName, methodName, methodOf } from './message-type.js';

export const MAGIC_COOKIE = 0x2112a442;
export const HEADER_BYTES = 20;

const INTEGRITY_SHA1 = ATTRIBUTES['MESSAGE-INTEGRITY'].type;
const INTEGRITY_SHA256 = ATTRIBUTES['MESSAGE-INTEGRITY-SHA256'].type;
const FINGERPRINT = ATTRIBUTES.FINGERPRINT.type;

export class StunMessage {
  /** The whole message. Values that are Buffers are views of it. */
  readonly bytes: Buffer;

  /** @internal Use `decodeMessage`: it checks what this class relies on. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The method's number. */
  get method(): number {
    return methodOf((this.bytes[0]! << 8) | this.bytes[1]!);
  }

  /** The method's name; undefined for one that this package does not speak. */
  get methodName(): MethodName | undefined {
    return methodName(this.method);
  }

  get class(): MessageClass {
    return classOf((this.bytes[0]! << 8) | this.bytes[1]!);
  }

  /** 12 bytes; 16 for a message of RFC 3489, whose id takes the place of the cookie too. */
  get transactionId(): Buffer {
    return this.bytes.subarray(this.classic ? 4 : 8, HEADER_BYTES);
  }

  /** The transaction id as a string of one character a byte: a key for a Map. */
  get transactionKey(): string {
    return this.bytes.toString('latin1', this.classic ? 4 : 8, HEADER_BYTES);
  }

  /** Made by a speaker of RFC 3489: no magic cookie, so it knows no XOR'd address. */
  get classic(): boolean {
    return this.bytes.readUInt32BE(4) !== MAGIC_COOKIE;
  }

  has(name: AttributeName): boolean {
    return this.offsetOf(name) !== undefined;
  }

  /**
   * The value of the first attribute of that name, or undefined.
   * @throws DecodeError whose `place` is like `attribute/XOR-MAPPED-ADDRESS/family`.
   */
  get<N extends AttributeName>(name: N): AttributeValue<N> | undefined {
    const at = this.offsetOf(name);
    return at === undefined ? undefined : this.#read(name, at);
  }

  /** Every value of that name, in order: for the few attributes that may be repeated. @throws DecodeError */
  getAll<N extends AttributeName>(name: N): AttributeValue<N>[] {
    const all: AttributeValue<N>[] = [];
    for (const [type, at] of this.#walk()) {
      if (type === ATTRIBUTES[name].type) all.push(this.#read(name, at));
    }
    return all;
  }

  /** The attribute types in order, those that integrity hides left out. */
  types(): number[] {
    return [...this.#walk()].map(([type]) => type);
  }

  /**
   * The attributes in order, ready to be encoded again: known ones decoded, unknown ones raw. Integrity
   * and fingerprint are left out, for they belong to these bytes only.
   * @throws DecodeError
   */
  attributes(): Attribute[] {
    const all: Attribute[] = [];
    for (const [type, at] of this.#walk()) {
      if (type === INTEGRITY_SHA1 || type === INTEGRITY_SHA256 || type === FINGERPRINT) continue;
      const name = attributeName(type);
      const end = at + 4 + this.bytes.readUInt16BE(at + 2);
      all.push(
        name === undefined
          ? [type, this.bytes.subarray(at + 4, end)]
          : ([name, this.#read(name, at)] as Attribute),
      );
    }
    return all;
  }

  /** Where the first attribute of that name begins (its type field), for what works on the bytes. */
  offsetOf(name: AttributeName): number | undefined {
    const wanted = ATTRIBUTES[name].type;
    const { bytes } = this;
    let seal = 0;
    for (let at = HEADER_BYTES; at < bytes.length; at += step(bytes, at)) {
      const type = (bytes[at]! << 8) | bytes[at + 1]!;
      if (seal && !follows(type, seal)) continue;
      if (type === wanted) return at;
      if (type === INTEGRITY_SHA1 || type === INTEGRITY_SHA256) seal = type;
    }
    return undefined;
  }

  #read<N extends AttributeName>(name: N, at: number): AttributeValue<N> {
    const start = at + 4;
    const length = (this.bytes[at + 2]! << 8) | this.bytes[at + 3]!;
    return ATTRIBUTES[name].read(this.bytes, start, start + length, name) as AttributeValue<N>;
  }

  *#walk(): Generator<readonly [type: number, at: number]> {
    const { bytes } = this;
    let seal = 0;
    for (let at = HEADER_BYTES; at < bytes.length; at += step(bytes, at)) {
      const type = bytes.readUInt16BE(at);
      if (seal && !follows(type, seal)) continue;
      if (type === INTEGRITY_SHA1 || type === INTEGRITY_SHA256) seal = type;
      yield [type, at];
    }
  }
}

function step(bytes: Buffer, at: number): number {
  return 4 + ((((bytes[at + 2]! << 8) | bytes[at + 3]!) + 3) & ~3);
}

// What an agent may still see behind an integrity attribute (RFC 8489 sections 14.5 and 14.6).
function follows(type: number, seal: number): boolean {
  return type === FINGERPRINT || (seal === INTEGRITY_SHA1 && type === INTEGRITY_SHA256);
}

/** Whether a datagram or frame could be STUN at all: two zero bits first (RFC 8489 section 5, RFC 7983). */
export function looksLikeStun(bytes: Buffer): boolean {
  return bytes.length >= HEADER_BYTES && bytes[0]! < 0x40;
}

/** Whether the first two bytes are those of a Binding request: what tells a STUN server's traffic from a relay's. */
export function isBindingRequest(bytes: Buffer): boolean {
  return bytes[0] === 0x00 && bytes[1] === 0x01;
}

/**
 * Checks the frame of a message: header, the bounds of every attribute, and the fingerprint where there
 * is one. The message keeps a view of `bytes`.
 * @param options.classic also admit messages of RFC 3489, which have no magic cookie (default: false).
 * @throws DecodeError
 */
export function decodeMessage(bytes: Buffer, options?: { readonly classic?: boolean }): StunMessage {
  if (bytes.length < HEADER_BYTES) throw new DecodeError('header', `${bytes.length} bytes, fewer than 20`);
  if (bytes[0]! >= 0x40) throw new DecodeError('header/type', 'the first two bits are not zero');
  const length = (bytes[2]! << 8) | bytes[3]!;
  if (length % 4 !== 0) throw new DecodeError('header/length', `${length} is not a multiple of 4`);
  if (length + HEADER_BYTES !== bytes.length) {
    throw new DecodeError(
      'header/length',
      `${length} says the header, ${bytes.length - HEADER_BYTES} follow`,
    );
  }
  if (!options?.classic && bytes.readUInt32BE(4) !== MAGIC_COOKIE) {
    throw new DecodeError('header/magic-cookie', 'missing');
  }
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const next = at + step(bytes, at);
    if (next > bytes.length) throw new DecodeError('attribute/length', `runs over the end, at byte ${at}`);
    if (bytes[at] === 0x80 && bytes[at + 1] === 0x28) checkFingerprint(bytes, at, next);
    at = next;
  }
  return new StunMessage(bytes);
}

function checkFingerprint(bytes: Buffer, at: number, next: number): void {
  if (next !== bytes.length) throw new DecodeError('attribute/FINGERPRINT', 'is not the last attribute');
  if (next - at !== 8) throw new DecodeError('attribute/FINGERPRINT/length', 'is not 4');
  if (bytes.readUInt32BE(at + 4) !== fingerprint(bytes, at)) {
    throw new DecodeError('attribute/FINGERPRINT', 'does not match the message');
  }
}
