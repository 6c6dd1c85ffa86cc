// PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS: how the long-term key is made from a password, and the
// server's offer of ways, most preferred first (RFC 8489 sections 14.11, 14.12 and 18.5).
import { DecodeError } from '../errors.js';
import type { Codec } from './attribute-codecs.js';

/** IANA's numbers. */
export const PASSWORD_ALGORITHMS = { MD5: 0x0001, 'SHA-256': 0x0002 } as const;

export interface PasswordAlgorithm {
  /** IANA's number; others than the table's are kept, so that they can be echoed. */
  readonly algorithm: number;
  readonly parameters: Buffer;
}

/** What our own server offers, and may be taken for granted of it. */
export const OFFERED_ALGORITHMS: readonly PasswordAlgorithm[] = [
  { algorithm: PASSWORD_ALGORITHMS['SHA-256'], parameters: Buffer.alloc(0) },
  { algorithm: PASSWORD_ALGORITHMS.MD5, parameters: Buffer.alloc(0) },
];

export const passwordAlgorithms: Codec<readonly PasswordAlgorithm[]> = {
  read(bytes, start, end, name) {
    const list: PasswordAlgorithm[] = [];
    for (let at = start; at < end; ) {
      if (end - at < 4) throw new DecodeError(`attribute/${name}/length`, 'cut off');
      const from = at + 4;
      const to = from + bytes.readUInt16BE(at + 2);
      if (to > end) throw new DecodeError(`attribute/${name}/parameters`, 'longer than the attribute');
      list.push({ algorithm: bytes.readUInt16BE(at), parameters: bytes.subarray(from, to) });
      at = from + padded(to - from);
    }
    return list;
  },
  size: list => list.reduce((sum, { parameters }) => sum + 4 + padded(parameters.length), 0),
  write(list, bytes, start) {
    let at = start;
    for (const { algorithm, parameters } of list) {
      bytes.writeUInt16BE(algorithm, at);
      bytes.writeUInt16BE(parameters.length, at + 2);
      bytes.fill(0, at + 4, at + 4 + padded(parameters.length));
      parameters.copy(bytes, at + 4);
      at += 4 + padded(parameters.length);
    }
  },
};

export const passwordAlgorithm: Codec<PasswordAlgorithm> = {
  read(bytes, start, end, name) {
    const list = passwordAlgorithms.read(bytes, start, end, name);
    if (list.length !== 1) throw new DecodeError(`attribute/${name}`, `${list.length} algorithms, not one`);
    return list[0]!;
  },
  size: value => passwordAlgorithms.size([value]),
  write: (value, bytes, start) => passwordAlgorithms.write([value], bytes, start),
};

function padded(length: number): number {
  return (length + 3) & ~3;
}
