// A node's address: everything another node needs in order to reach it, signed by the node itself. Whoever
// carries it can be anybody: it verifies or it does not.
import { AddressError } from '../errors.js';
import { type Identity, signFor, verifyFor } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';
import { machineTag } from '../net/machine.js';
import { decodeAddress, encodeAddress, MINOR } from './address-codec.js';
import { type AddressFields, addressSchema, type InterfaceAddress } from './address-schema.js';

/** What stands before the base64url in the text form; the digit is the major version. */
const PREFIX = 'wl1';
/** Longest text form, in characters. */
const MAX_ADDRESS_LENGTH = 4096;
/** How far two clocks may differ before an address counts as expired, or as issued in the future. */
const EXPIRY_TOLERANCE_MS = 15 * 60_000;

const PURPOSE = 'address/1';
const SIGNATURE_BYTES = 64;

type OwnFields = Omit<AddressFields, 'minor' | 'id' | 'sealingKey' | 'unknownFields'>;

/** Texts that have verified, last used last: who connects again and again need not verify again and again. */
const verified = new Map<string, NodeAddress>();
const MOST_VERIFIED = 64;

function remember(text: string, address: NodeAddress): void {
  verified.delete(text);
  verified.set(text, address);
  if (verified.size <= MOST_VERIFIED) return;
  for (const oldest of verified.keys()) {
    verified.delete(oldest);
    return;
  }
}

export class NodeAddress {
  readonly #bytes: Buffer;
  readonly #fields: AddressFields;

  private constructor(bytes: Buffer, fields: AddressFields) {
    this.#bytes = bytes;
    this.#fields = fields;
  }

  /**
   * Signs an address for one's own identity.
   * @throws AddressError when a field is out of range or the whole is over 4,096 characters.
   */
  static sign(identity: Identity, own: OwnFields): NodeAddress {
    const fields = check({
      ...own,
      minor: MINOR,
      id: identity.id,
      sealingKey: identity.sealingPublicKey,
      issuedAt: Math.floor(own.issuedAt / 1000) * 1000,
      expiresAt: Math.floor(own.expiresAt / 1000) * 1000,
      unknownFields: [],
    });
    const signed = encodeAddress(fields);
    // read back: what others will see, rounded as they will see it
    const published = decodeAddress(signed);
    const address = new NodeAddress(Buffer.concat([signed, signFor(PURPOSE, identity, signed)]), published);
    checkLength(address.toString().length);
    return address;
  }

  /**
   * Reads and verifies an address from its text form or its bytes. Strict: anything malformed, oversized,
   * unsigned, expired or out of range is refused; unknown fields of a later minor version are kept.
   * @param now wall clock, milliseconds; an address expires 15 minutes after its expiry time.
   * @throws AddressError with the `field` that is wrong; code `address-expired` or `bad-address`.
   */
  static parse(source: string | Uint8Array, now: number = Date.now()): NodeAddress {
    const known = typeof source === 'string' ? verified.get(source) : undefined;
    const address = known ?? NodeAddress.#verify(source);
    const { issuedAt, expiresAt } = address.#fields;
    if (issuedAt > now + EXPIRY_TOLERANCE_MS) {
      const issued = new Date(issuedAt).toISOString();
      throw new AddressError('issuedAt', `lies in the future (${issued}): check both clocks`);
    }
    if (expiresAt + EXPIRY_TOLERANCE_MS < now) {
      const expired = new Date(expiresAt).toISOString();
      throw new AddressError('expiresAt', `is over (${expired})`, 'address-expired');
    }
    if (typeof source === 'string') remember(source, address);
    return address;
  }

  /** All checks but those of time, which pass once and for all. */
  static #verify(source: string | Uint8Array): NodeAddress {
    const bytes = typeof source === 'string' ? bytesOfText(source) : ownBytes(source);
    if (bytes.length < SIGNATURE_BYTES + 2) throw new AddressError('address', 'is cut off');
    const signed = bytes.subarray(0, -SIGNATURE_BYTES);
    const fields = check(decodeAddress(signed));
    if (!verifyFor(PURPOSE, fields.id, signed, bytes.subarray(-SIGNATURE_BYTES))) {
      throw new AddressError('signature', 'does not verify: the address was altered or cut');
    }
    return new NodeAddress(bytes, fields);
  }

  /** The node's id: its public key. */
  get id(): NodeId {
    return this.#fields.id;
  }

  /** The raw X25519 key to which messages for this node are sealed. */
  get sealingKey(): Buffer {
    return Buffer.from(this.#fields.sealingKey);
  }

  get interfaces(): readonly InterfaceAddress[] {
    return this.#fields.interfaces;
  }

  /** Signalling servers where the node is registered, at most 4. */
  get servers(): readonly string[] {
    return this.#fields.servers;
  }

  get capabilities(): AddressFields['capabilities'] {
    return this.#fields.capabilities;
  }

  get issuedAt(): Date {
    return new Date(this.#fields.issuedAt);
  }

  get expiresAt(): Date {
    return new Date(this.#fields.expiresAt);
  }

  /** Format version, `1.minor`. */
  get version(): string {
    return `1.${this.#fields.minor}`;
  }

  /** Whether the node runs on this very machine, in this network namespace. Nobody else can tell. */
  get onThisMachine(): boolean {
    const { machine, id } = this.#fields;
    return machine !== null && machineTag(id).equals(machine);
  }

  toBytes(): Buffer {
    return Buffer.from(this.#bytes);
  }

  /** The text form: `wl1` and base64url. */
  toString(): string {
    return PREFIX + this.#bytes.toString('base64url');
  }
}

function bytesOfText(text: string): Buffer {
  checkLength(text.length);
  if (!text.startsWith(PREFIX)) throw new AddressError('prefix', `an address begins with ${PREFIX}`);
  const body = text.slice(PREFIX.length);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.toString('base64url') !== body) throw new AddressError('text', 'is not base64url, or is cut off');
  return bytes;
}

function ownBytes(source: Uint8Array): Buffer {
  if (!(source instanceof Uint8Array)) throw new AddressError('address', 'is neither text nor bytes');
  checkLength(PREFIX.length + Math.ceil((source.length * 4) / 3));
  return Buffer.from(source);
}

function checkLength(characters: number): void {
  if (characters > MAX_ADDRESS_LENGTH) {
    throw new AddressError('address', `is ${characters} characters long, over ${MAX_ADDRESS_LENGTH}`);
  }
}

function check(draft: AddressFields): AddressFields {
  const result = addressSchema.safeParse(draft);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new AddressError(issue.path.join('/') || 'address', issue.message);
}
