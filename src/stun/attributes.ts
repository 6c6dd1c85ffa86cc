// Every attribute that this package understands: number, name, layout, one row each. STUN (RFC 8489), TURN
// (RFC 8656), TURN over TCP (RFC 6062), behaviour discovery (RFC 5780), and what remains of RFC 3489 for old
// clients. Left out, so unknown and answered with 420 when required: ICE, mobility (RFC 8016), OAuth (RFC 7635).
import { WayleaveError } from '../errors.js';
import {
  address,
  addressErrorCode,
  type Codec,
  errorCode,
  flag,
  integer,
  opaque,
  text,
  typeList,
} from './attribute-codecs.js';
import { passwordAlgorithm, passwordAlgorithms } from './password-algorithms.js';

interface Row<V> extends Codec<V> {
  readonly type: number;
}

function row<V>(type: number, codec: Codec<V>): Row<V> {
  return { type, ...codec };
}

/** CHANGE-REQUEST (RFC 5780 section 7.2): which of its endpoints the server shall answer from. */
export interface ChangeRequest {
  readonly address: boolean;
  readonly port: boolean;
}

const word = integer(4);

const changeRequest: Codec<ChangeRequest> = {
  read(bytes, start, end, name) {
    const flags = word.read(bytes, start, end, name);
    return { address: (flags & 4) !== 0, port: (flags & 2) !== 0 };
  },
  size: () => 4,
  write: (value, bytes, start) => word.write((value.address ? 4 : 0) | (value.port ? 2 : 0), bytes, start),
};

/** ICMP (RFC 8656 section 18.13): an ICMP error that a relayed packet met. */
export interface IcmpError {
  /** 0 to 127. */
  readonly type: number;
  /** 0 to 511. */
  readonly code: number;
  readonly data: number;
}

const pair = opaque(8, 8);

const icmp: Codec<IcmpError> = {
  read(bytes, start, end, name) {
    const value = pair.read(bytes, start, end, name);
    const kind = value.readUInt16BE(2);
    return { type: kind >> 9, code: kind & 0x1ff, data: value.readUInt32BE(4) };
  },
  size: () => 8,
  write(value, bytes, start) {
    bytes.writeUInt16BE(0, start);
    bytes.writeUInt16BE(((value.type & 0x7f) << 9) | (value.code & 0x1ff), start + 2);
    bytes.writeUInt32BE(value.data, start + 4);
  },
};

const reserveNext: Codec<boolean> = {
  read: (bytes, start, end, name) => (integer(1).read(bytes, start, end, name) & 0x80) !== 0,
  size: () => 1,
  write: (value, bytes, start) => integer(1).write(value ? 0x80 : 0, bytes, start),
};

/** What became of a dial-back over TCP, as the server saw it (docs/nat-behaviour.md). */
export const DIAL_BACK_OUTCOMES = ['not-tried', 'connected', 'refused', 'silent'] as const;

export interface DialBack {
  readonly outcome: (typeof DIAL_BACK_OUTCOMES)[number];
  /** How many connections the server tried, 0 to 255. */
  readonly tries: number;
}

const dialBack: Codec<DialBack> = {
  read(bytes, start, end, name) {
    const [outcome = 0, tries = 0] = opaque(4, 4).read(bytes, start, end, name);
    return { outcome: DIAL_BACK_OUTCOMES[outcome] ?? 'not-tried', tries };
  },
  size: () => 4,
  write({ outcome, tries }, bytes, start) {
    bytes.fill(0, start, start + 4);
    bytes[start] = DIAL_BACK_OUTCOMES.indexOf(outcome);
    bytes[start + 1] = Math.min(tries, 255);
  },
};

// Names and numbers are IANA's. Lengths: RFC 8489 allows 128 characters (763 bytes) of realm, nonce and software.
export const ATTRIBUTES = {
  'MAPPED-ADDRESS': row(0x0001, address(false)),
  'CHANGE-REQUEST': row(0x0003, changeRequest),
  'SOURCE-ADDRESS': row(0x0004, address(false)), // RFC 3489 only
  'CHANGED-ADDRESS': row(0x0005, address(false)), // RFC 3489 only
  USERNAME: row(0x0006, text(512)),
  'MESSAGE-INTEGRITY': row(0x0008, opaque(20, 20)),
  'ERROR-CODE': row(0x0009, errorCode),
  'UNKNOWN-ATTRIBUTES': row(0x000a, typeList),
  'CHANNEL-NUMBER': row(0x000c, integer(2, 2)),
  LIFETIME: row(0x000d, integer(4)), // seconds
  'XOR-PEER-ADDRESS': row(0x0012, address(true)),
  DATA: row(0x0013, opaque()),
  REALM: row(0x0014, text(763)),
  NONCE: row(0x0015, text(763)),
  'XOR-RELAYED-ADDRESS': row(0x0016, address(true)),
  'REQUESTED-ADDRESS-FAMILY': row(0x0017, integer(1, 3)), // 1: IPv4, 2: IPv6
  'EVEN-PORT': row(0x0018, reserveNext),
  'REQUESTED-TRANSPORT': row(0x0019, integer(1, 3)), // protocol number: 17 UDP, 6 TCP
  'DONT-FRAGMENT': row(0x001a, flag),
  'MESSAGE-INTEGRITY-SHA256': row(0x001c, opaque(32, 16)),
  'PASSWORD-ALGORITHM': row(0x001d, passwordAlgorithm),
  USERHASH: row(0x001e, opaque(32, 32)),
  'XOR-MAPPED-ADDRESS': row(0x0020, address(true)),
  'RESERVATION-TOKEN': row(0x0022, opaque(8, 8)),
  PADDING: row(0x0026, opaque()),
  'RESPONSE-PORT': row(0x0027, integer(2, 2)),
  'CONNECTION-ID': row(0x002a, integer(4)),
  'ADDITIONAL-ADDRESS-FAMILY': row(0x8000, integer(1, 3)),
  'ADDRESS-ERROR-CODE': row(0x8001, addressErrorCode),
  'PASSWORD-ALGORITHMS': row(0x8002, passwordAlgorithms),
  'ALTERNATE-DOMAIN': row(0x8003, text(255)),
  ICMP: row(0x8004, icmp),
  SOFTWARE: row(0x8022, text(763)),
  'ALTERNATE-SERVER': row(0x8023, address(false)),
  'CACHE-TIMEOUT': row(0x8027, integer(4)), // seconds
  FINGERPRINT: row(0x8028, integer(4)),
  'RESPONSE-ORIGIN': row(0x802b, address(false)),
  'OTHER-ADDRESS': row(0x802c, address(false)),
  // Our own, not IANA's, from the range that others may ignore (docs/nat-behaviour.md).
  'DIAL-BACK': row(0xdbac, dialBack),
  'OTHER-PORT': row(0xdbad, integer(2, 2)), // of a server with one address: its second port
  'ANSWER-AFTER': row(0xdbae, integer(2, 2)), // seconds that the server shall wait before it answers
} as const;

export type AttributeName = keyof typeof ATTRIBUTES;
export type AttributeValue<N extends AttributeName> = (typeof ATTRIBUTES)[N] extends Row<infer V> ? V : never;

/** An attribute to encode: by name, or by number with raw bytes (how unknown attributes travel on). */
export type Attribute =
  | { [N in AttributeName]: readonly [N, AttributeValue<N>] }[AttributeName]
  | readonly [number, Buffer];

const NAME_BY_TYPE = new Map<number, AttributeName>(
  (Object.keys(ATTRIBUTES) as AttributeName[]).map(name => [ATTRIBUTES[name].type, name]),
);

/** The name of an attribute type, or undefined where this package has no row for it. */
export function attributeName(type: number): AttributeName | undefined {
  return NAME_BY_TYPE.get(type);
}

/** Types from 0x8000 up may be ignored by who does not know them (RFC 8489 section 14). */
export function comprehensionRequired(type: number): boolean {
  return type < 0x8000;
}

/** The row of an attribute to encode, its value's type forgotten: the pair was checked when it was written down. */
export function rowOf(name: AttributeName): Row<unknown> {
  const found = ATTRIBUTES[name] as Row<unknown> | undefined;
  if (!found) throw new WayleaveError('bad-option', `no STUN attribute is called ${String(name)}`);
  return found;
}
