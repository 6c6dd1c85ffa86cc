// The bytes of an address: a closed table of fields, one row each (tagged-fields.ts says how they are written).
//
//   address = major (1) · minor (1) · field* · signature (64)
import { AddressError } from '../errors.js';
import { nodeIdBytes, nodeIdFromBytes } from '../identity/node-id.js';
import {
  type Behaviour,
  DEPENDENCE,
  EGRESS,
  PORT_PATTERNS,
  REACH_KINDS,
  SYN_ANSWERS,
  UNKNOWN_BEHAVIOUR,
} from '../nat/profile.js';
import { ipBytes, ipFromBytes } from '../net/ip-scope.js';
import { type AddressFields, CAPABILITIES, type InterfaceAddress, MAPPED_BY } from './address-schema.js';
import { decodeFields, encodeFields, type Row } from './tagged-fields.js';

const MAJOR = 1;
export const MINOR = 0;

const uint = (value: number, bytes: number) => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
};

function expectLength(value: Buffer, ...lengths: number[]): Buffer {
  if (!lengths.includes(value.length))
    throw new Error(`is ${value.length} bytes, not ${lengths.join(' or ')}`);
  return value;
}

/** A value of a later version's list reads as the list's first, which means `unknown`. */
function word<T>(list: readonly T[], index: number, minor: number): T {
  const found = list[index];
  if (found !== undefined) return found;
  if (minor <= MINOR) throw new Error(`has no value ${index}`);
  return list[0]!;
}

const HAIRPIN = [null, false, true] as const;

/** kind, mapping, filtering · pattern, hairpinning, SYN answer, egress · delta (2) · samples · confidence in percent. */
function behaviourBytes({ kind, mapping, filtering, ports, ...rest }: Behaviour): Buffer[] {
  if (kind === 'unknown' && rest.samples === 0) return [];
  const first =
    REACH_KINDS.indexOf(kind) | (DEPENDENCE.indexOf(mapping) << 3) | (DEPENDENCE.indexOf(filtering) << 5);
  const second =
    PORT_PATTERNS.indexOf(ports.pattern) |
    (HAIRPIN.indexOf(rest.hairpinning) << 2) |
    (SYN_ANSWERS.indexOf(rest.unsolicitedSyn) << 4) |
    ((rest.egress === undefined ? 0 : EGRESS.indexOf(rest.egress) + 1) << 6);
  const delta = Buffer.alloc(2);
  delta.writeInt16BE(ports.pattern === 'delta' ? (ports.delta ?? 0) : 0);
  const percent = Math.round(rest.confidence * 100);
  return [Buffer.from([first, second, ...delta, Math.min(rest.samples, 255), percent])];
}

function readBehaviour(value: Buffer, minor: number): Behaviour {
  const [first, second, , , samples, percent] = expectLength(value, 6) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const pattern = word(PORT_PATTERNS, second & 3, minor);
  const delta = value.readInt16BE(2);
  const egress = EGRESS[(second >> 6) - 1];
  const spare = first >> 7 || second >> 6 > EGRESS.length || (pattern !== 'delta' && delta);
  if (percent > 100 || (spare && minor <= MINOR)) throw new Error('has undefined bits');
  return {
    kind: word(REACH_KINDS, first & 7, minor),
    mapping: word(DEPENDENCE, (first >> 3) & 3, minor),
    filtering: word(DEPENDENCE, (first >> 5) & 3, minor),
    ports: pattern === 'delta' ? { pattern, delta } : { pattern },
    hairpinning: word(HAIRPIN, (second >> 2) & 3, minor),
    unsolicitedSyn: word(SYN_ANSWERS, (second >> 4) & 3, minor),
    ...(egress && { egress }),
    samples,
    confidence: percent / 100,
  };
}

const INTERFACE_ROWS: readonly Row<InterfaceAddress>[] = [
  {
    tag: 1,
    name: 'address',
    write: ({ address, prefix }) => [Buffer.from([prefix, ...(ipBytes(address) ?? [])])],
    read(value, into) {
      expectLength(value, 5, 17);
      into.family = value.length === 5 ? 4 : 6;
      into.prefix = value[0]!;
      into.address = ipFromBytes(value.subarray(1));
    },
  },
  {
    tag: 2,
    name: 'port',
    write: ({ port }) => (port === null ? [] : [uint(port, 2)]),
    read(value, into) {
      into.port = expectLength(value, 2).readUInt16BE();
    },
  },
  {
    tag: 3,
    name: 'external',
    write: ({ external }) =>
      external === null
        ? []
        : [Buffer.from([...uint(external.port ?? 0, 2), ...(ipBytes(external.host) ?? [])])],
    read(value, into) {
      expectLength(value, 6, 18);
      into.external = { host: ipFromBytes(value.subarray(2)), port: value.readUInt16BE() || null };
    },
  },
  {
    tag: 4,
    name: 'mapping',
    write: ({ mapping }) =>
      mapping === null ? [] : [Buffer.from([MAPPED_BY.indexOf(mapping.by) | (mapping.proved ? 0x80 : 0)])],
    read(value, into, minor) {
      const byte = expectLength(value, 1)[0]!;
      into.mapping = { by: word(MAPPED_BY, byte & 0x7f, minor), proved: byte >= 0x80 };
    },
  },
  {
    tag: 5,
    name: 'tcp',
    write: ({ tcp }) => behaviourBytes(tcp),
    read(value, into, minor) {
      into.tcp = readBehaviour(value, minor);
    },
  },
  {
    tag: 6,
    name: 'udp',
    write: ({ udp }) => behaviourBytes(udp),
    read(value, into, minor) {
      into.udp = readBehaviour(value, minor);
    },
  },
];

const ADDRESS_ROWS: readonly Row<AddressFields>[] = [
  {
    tag: 1,
    name: 'id',
    write: ({ id }) => [nodeIdBytes(id)!],
    read(value, into) {
      into.id = nodeIdFromBytes(expectLength(value, 32));
    },
  },
  {
    tag: 2,
    name: 'sealingKey',
    write: ({ sealingKey }) => [sealingKey],
    read(value, into) {
      into.sealingKey = expectLength(value, 32);
    },
  },
  {
    tag: 3,
    name: 'issuedAt',
    write: ({ issuedAt }) => [uint(Math.floor(issuedAt / 1000), 5)],
    read(value, into) {
      into.issuedAt = expectLength(value, 5).readUIntBE(0, 5) * 1000;
    },
  },
  {
    tag: 4,
    name: 'expiresAt',
    write: ({ expiresAt }) => [uint(Math.floor(expiresAt / 1000), 5)],
    read(value, into) {
      into.expiresAt = expectLength(value, 5).readUIntBE(0, 5) * 1000;
    },
  },
  {
    tag: 5,
    name: 'machine',
    write: ({ machine }) => (machine ? [machine] : []),
    read(value, into) {
      into.machine = expectLength(value, 8);
    },
  },
  {
    tag: 6,
    name: 'capabilities',
    write: ({ capabilities }) => [
      Buffer.from([capabilities.reduce((bits, name) => bits | (1 << CAPABILITIES.indexOf(name)), 0)]),
    ],
    read(value, into, minor) {
      const bits = expectLength(value, 1)[0]!;
      if (bits >> CAPABILITIES.length && minor <= MINOR) throw new Error('has undefined bits');
      into.capabilities = CAPABILITIES.filter((_, index) => bits & (1 << index));
    },
  },
  {
    tag: 7,
    name: 'servers',
    repeats: true,
    write: ({ servers }) => servers.map(url => Buffer.from(url)),
    read(value, into) {
      into.servers.push(new TextDecoder('utf-8', { fatal: true }).decode(value));
    },
  },
  {
    tag: 8,
    name: 'interfaces',
    repeats: true,
    write: ({ interfaces }) => interfaces.map(entry => encodeFields(INTERFACE_ROWS, entry)),
    read(value, into, minor) {
      const entry = decodeFields(INTERFACE_ROWS, value, minor, MINOR, emptyInterface());
      if (entry.address === '') throw new Error('has no address');
      into.interfaces.push(entry);
    },
  },
];

const emptyInterface = (): InterfaceAddress => ({
  family: 4,
  address: '',
  prefix: 0,
  port: null,
  external: null,
  mapping: null,
  tcp: UNKNOWN_BEHAVIOUR,
  udp: UNKNOWN_BEHAVIOUR,
  unknownFields: [],
});

/** The signed part of an address. The fields are trusted to have passed the schema. */
export function encodeAddress(fields: AddressFields): Buffer {
  return Buffer.concat([Buffer.from([MAJOR, fields.minor]), encodeFields(ADDRESS_ROWS, fields)]);
}

/** Reads the signed part into a draft, which the schema has yet to check. @throws AddressError */
export function decodeAddress(bytes: Buffer): AddressFields {
  const [major, minor] = bytes;
  if (major === undefined || minor === undefined) throw new AddressError('address', 'is cut off');
  if (major !== MAJOR)
    throw new AddressError('version', `is ${major}, and this program reads version ${MAJOR}`);
  return decodeFields(ADDRESS_ROWS, bytes.subarray(2), minor, MINOR, {
    minor,
    id: '',
    sealingKey: new Uint8Array(),
    issuedAt: -1, // refused where the field is absent
    expiresAt: -1,
    machine: null,
    capabilities: [],
    servers: [],
    interfaces: [],
    unknownFields: [],
  });
}
