// Fields written as tag, length, value, from a table with one row each.
//
//   field = tag (1) · length (1, or 2 with the top bit of the first set) · value
//
// Tags never go down, so there is one encoding of everything. Unknown tags are a fault in a version that we
// know, and are kept and ignored in a later minor version.
import { AddressError } from '../errors.js';

interface Extensible {
  unknownFields: { tag: number; value: Uint8Array }[];
}

/** One field: `write` gives the values to encode (none: the field is absent), `read` puts one into the draft. */
export interface Row<T> {
  tag: number;
  name: string;
  repeats?: true;
  write(from: T): Uint8Array[];
  read(value: Buffer, into: T, minor: number): void;
}

/** The fields of `from`, in the order of their tags. */
export function encodeFields<T extends Extensible>(rows: readonly Row<T>[], from: T): Buffer {
  const known = rows.flatMap(row => row.write(from).map(value => ({ tag: row.tag, value })));
  const fields = [...known, ...from.unknownFields].sort((a, b) => a.tag - b.tag);
  const parts = fields.flatMap(({ tag, value }) => {
    const { length } = value;
    return [Buffer.from(length < 128 ? [tag, length] : [tag, 0x80 | (length >> 8), length & 255]), value];
  });
  return Buffer.concat(parts);
}

/**
 * Reads every field into `draft`. Unknown tags are kept when `minor` is later than `knownMinor`.
 * @throws AddressError naming the field.
 */
export function decodeFields<T extends Extensible>(
  rows: readonly Row<T>[],
  bytes: Buffer,
  minor: number,
  knownMinor: number,
  draft: T,
): T {
  let at = 0;
  let last = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const row = rows.find(candidate => candidate.tag === tag);
    const name = row?.name ?? `field ${tag}`;
    const fault = (message: string) => new AddressError(name, message);
    if (tag === 0 || tag < last) throw fault('is out of order');
    if (tag === last && row && !row.repeats) throw fault('is there twice');
    last = tag;
    let length = bytes[at++];
    if (length !== undefined && length >= 128) {
      length = ((length & 0x7f) << 8) | (bytes[at++] ?? 0);
      if (length < 128) throw fault('has a length in a long form that it does not need');
    }
    if (length === undefined || at + length > bytes.length) throw fault('is cut off');
    const value = bytes.subarray(at, (at += length));
    if (!row) {
      if (minor <= knownMinor) throw fault('is not known in this version');
      draft.unknownFields.push({ tag, value });
      continue;
    }
    try {
      row.read(value, draft, minor);
    } catch (error) {
      if (!(error instanceof AddressError)) throw fault((error as Error).message);
      throw new AddressError(`${name}/${error.field}`, error.message.slice(error.field.length + 2));
    }
  }
  return draft;
}
