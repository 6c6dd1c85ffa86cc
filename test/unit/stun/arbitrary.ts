// Random valid STUN messages, for properties: every attribute of the table, and unknown ones.
import fc from 'fast-check';
import { canonicalIp } from '../../../src/net/ip-scope.js';
import {
  type ATTRIBUTES,
  type Attribute,
  attributeName,
  DIAL_BACK_OUTCOMES,
} from '../../../src/stun/attributes.js';

const buffer = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map(bytes => Buffer.from(bytes));
const words = fc.string({ unit: 'grapheme', maxLength: 24 });
const word32 = fc.nat(0xffffffff);
const address = fc.record({
  host: fc.oneof(fc.ipV4(), fc.ipV6()).map(ip => canonicalIp(ip) ?? '192.0.2.1'),
  port: fc.nat(65535),
});
const algorithm = fc.record({ algorithm: fc.nat(65535), parameters: buffer(0, 9) });
const error = { code: fc.integer({ min: 300, max: 699 }), reason: words };

const values: { readonly [N in keyof typeof ATTRIBUTES]?: fc.Arbitrary<unknown> } = {
  'MAPPED-ADDRESS': address,
  'CHANGE-REQUEST': fc.record({ address: fc.boolean(), port: fc.boolean() }),
  'SOURCE-ADDRESS': address,
  'CHANGED-ADDRESS': address,
  USERNAME: words,
  'ERROR-CODE': fc.record(error),
  'UNKNOWN-ATTRIBUTES': fc.array(fc.nat(65535), { maxLength: 9 }),
  'CHANNEL-NUMBER': fc.nat(65535),
  LIFETIME: word32,
  'XOR-PEER-ADDRESS': address,
  DATA: buffer(0, 99),
  REALM: words,
  NONCE: words,
  'XOR-RELAYED-ADDRESS': address,
  'REQUESTED-ADDRESS-FAMILY': fc.nat(255),
  'EVEN-PORT': fc.boolean(),
  'REQUESTED-TRANSPORT': fc.nat(255),
  'DONT-FRAGMENT': fc.constant(true),
  'PASSWORD-ALGORITHM': algorithm,
  USERHASH: buffer(32, 32),
  'XOR-MAPPED-ADDRESS': address,
  'RESERVATION-TOKEN': buffer(8, 8),
  PADDING: buffer(0, 99),
  'RESPONSE-PORT': fc.nat(65535),
  'CONNECTION-ID': word32,
  'ADDITIONAL-ADDRESS-FAMILY': fc.nat(255),
  'ADDRESS-ERROR-CODE': fc.record({ family: fc.nat(255), ...error }),
  'PASSWORD-ALGORITHMS': fc.array(algorithm, { maxLength: 4 }),
  'ALTERNATE-DOMAIN': words,
  ICMP: fc.record({ type: fc.nat(127), code: fc.nat(511), data: word32 }),
  SOFTWARE: words,
  'ALTERNATE-SERVER': address,
  'CACHE-TIMEOUT': word32,
  'RESPONSE-ORIGIN': address,
  'OTHER-ADDRESS': address,
  'DIAL-BACK': fc.record({ outcome: fc.constantFrom(...DIAL_BACK_OUTCOMES), tries: fc.nat(255) }),
  'OTHER-PORT': fc.nat(65535),
  'ANSWER-AFTER': fc.nat(65535),
};

/** Made by encodeMessage from its own options, never given as attributes. */
export const SEALS = ['MESSAGE-INTEGRITY', 'MESSAGE-INTEGRITY-SHA256', 'FINGERPRINT'];
export const COVERED = Object.keys(values);

const known = fc.oneof(
  ...Object.entries(values).map(([name, value]) => value.map(v => [name, v] as unknown as Attribute)),
);
const unknown = fc.tuple(
  fc.nat(65535).filter(type => attributeName(type) === undefined),
  buffer(0, 30),
);

export const attributes: fc.Arbitrary<Attribute[]> = fc.array(
  fc.oneof({ weight: 9, arbitrary: known }, { weight: 1, arbitrary: unknown }),
  { maxLength: 8 },
);

export const plan = fc.record({
  class: fc.constantFrom('request', 'indication', 'success', 'error' as const),
  method: fc.nat(0xfff),
  transactionId: buffer(12, 12),
  attributes,
  fingerprint: fc.boolean(),
});
