// Addresses for tests: one of everything, the same measured in full, and any valid one for properties.
import fc from 'fast-check';
import {
  type AddressFields,
  CAPABILITIES,
  type InterfaceAddress,
  MAPPED_BY,
} from '../../../src/address/address-schema.js';
import { NodeAddress } from '../../../src/address/node-address.js';
import { createIdentity, type Identity } from '../../../src/identity/keys.js';
import {
  type Behaviour,
  DEPENDENCE,
  EGRESS,
  PORT_PATTERNS,
  REACH_KINDS,
  SYN_ANSWERS,
  UNKNOWN_BEHAVIOUR,
} from '../../../src/nat/profile.js';
import { ipFromBytes } from '../../../src/net/ip-scope.js';

export const NOW = 1_700_000_000_000;
export const HOUR = 3_600_000;
export const identity = createIdentity();

export type OwnFields = Parameters<typeof NodeAddress.sign>[1];

export const nat: Behaviour = {
  kind: 'nat',
  mapping: 'address-and-port-dependent',
  filtering: 'address-dependent',
  ports: { pattern: 'delta', delta: -2 },
  hairpinning: true,
  unsolicitedSyn: 'reset',
  samples: 12,
  confidence: 0.93,
};

export function interfaceAt(address: string, more: Partial<InterfaceAddress> = {}): InterfaceAddress {
  const family = address.includes(':') ? 6 : 4;
  return {
    family,
    address,
    prefix: family === 4 ? 24 : 64,
    port: 40_123,
    external: null,
    mapping: null,
    tcp: UNKNOWN_BEHAVIOUR,
    udp: UNKNOWN_BEHAVIOUR,
    unknownFields: [],
    ...more,
  };
}

export const own = (fields: Partial<OwnFields> = {}): OwnFields => ({
  issuedAt: NOW,
  expiresAt: NOW + 24 * HOUR,
  machine: null,
  capabilities: ['reverse', 'punch'],
  servers: ['wss://signalling.example:7443'],
  interfaces: [interfaceAt('192.168.1.23')],
  ...fields,
});

/** A signed address, valid at NOW. */
export const signed = (fields: Partial<OwnFields> = {}, by: Identity = identity): NodeAddress =>
  NodeAddress.sign(by, own(fields));

const full = (address: string, external: string): InterfaceAddress =>
  interfaceAt(address, {
    external: { host: external, port: 54_321 },
    mapping: { by: 'upnp-igd', proved: true },
    tcp: nat,
    udp: { ...nat, unsolicitedSyn: 'unknown' },
  });

/** Two interfaces with both families each, everything measured: what "about 600 characters" is about. */
export const measured = (): OwnFields =>
  own({
    machine: Buffer.alloc(8, 7),
    interfaces: [
      full('192.168.1.23', '203.0.113.77'),
      full('2001:db8:aa:bb:cc:dd:ee:1', '2001:db8:aa:bb:cc:dd:ee:1'),
      full('10.20.30.40', '198.51.100.12'),
      full('2001:db8:11:22:33:44:55:66', '2001:db8:11:22:33:44:55:66'),
    ],
  });

// plain objects, as the decoder makes them
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const buffer = (length: { minLength?: number; maxLength: number }) =>
  fc.uint8Array(length).map(value => Buffer.from(value));
const bytes = (length: number) => buffer({ minLength: length, maxLength: length });
const port = fc.integer({ min: 1, max: 65535 });

const ports: fc.Arbitrary<Behaviour['ports']> = fc.oneof(
  record({ pattern: fc.constantFrom(...PORT_PATTERNS.filter(pattern => pattern !== 'delta')) }),
  record({ pattern: fc.constant('delta' as const), delta: fc.integer({ min: -32768, max: 32767 }) }),
);

/** Behaviours that survive the trip whole: in percent, up to 255 samples, and `unknown` only when unmeasured. */
const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.constant(UNKNOWN_BEHAVIOUR),
  fc.record(
    {
      kind: fc.constantFrom(...REACH_KINDS),
      mapping: fc.constantFrom(...DEPENDENCE),
      filtering: fc.constantFrom(...DEPENDENCE),
      ports,
      hairpinning: fc.constantFrom(null, true, false),
      unsolicitedSyn: fc.constantFrom(...SYN_ANSWERS),
      samples: fc.integer({ min: 1, max: 255 }),
      confidence: fc.integer({ min: 0, max: 100 }).map(percent => percent / 100),
      egress: fc.constantFrom(...EGRESS),
    },
    {
      noNullPrototype: true,
      requiredKeys: [
        'kind',
        'mapping',
        'filtering',
        'ports',
        'hairpinning',
        'unsolicitedSyn',
        'samples',
        'confidence',
      ],
    },
  ),
);

const unknownField = record({
  tag: fc.integer({ min: 9, max: 255 }),
  value: buffer({ maxLength: 40 }),
});
/** In the order of their tags, as the wire has them. */
const unknownFields = fc
  .array(unknownField, { maxLength: 3 })
  .map(list => list.sort((a, b) => a.tag - b.tag));

const interfaceOf = (family: 4 | 6, later: boolean): fc.Arbitrary<InterfaceAddress> => {
  const ip = bytes(family === 4 ? 4 : 16).map(ipFromBytes);
  return record({
    family: fc.constant(family),
    address: ip,
    prefix: fc.integer({ min: 0, max: family === 4 ? 32 : 128 }),
    port: fc.option(port),
    external: fc.option(record({ host: ip, port: fc.option(port) })),
    mapping: fc.option(record({ by: fc.constantFrom(...MAPPED_BY), proved: fc.boolean() })),
    tcp: behaviour,
    udp: behaviour,
    unknownFields: later ? unknownFields : fc.constant([]),
  });
};

const letters = fc.integer({ min: 0, max: 2 ** 31 }).map(number => number.toString(36));
const server = fc
  .tuple(
    fc.constantFrom('ws', 'wss', 'mqtt', 'mqtts'),
    letters,
    port,
    fc.constantFrom('', '/', '/a/b?c=%20#d'),
  )
  .map(([scheme, name, number, path]) => `${scheme}://${name}.example:${number}${path}`);

const fields = (later: boolean): fc.Arbitrary<OwnFields> => {
  const one = fc.oneof(interfaceOf(4, later), interfaceOf(6, later));
  const few = fc.array(one, { maxLength: 3 });
  const many = fc.array(one, { minLength: 4, maxLength: 16 });
  return record({
    issuedAt: fc.integer({ min: 0, max: 2 ** 39 }).map(seconds => seconds * 1000),
    lifetime: fc.integer({ min: 1, max: 2 ** 31 }).map(seconds => seconds * 1000),
    machine: fc.option(bytes(8)),
    capabilities: fc.subarray([...CAPABILITIES]),
    servers: fc.array(server, { maxLength: 4 }),
    interfaces: fc.oneof({ weight: 9, arbitrary: few }, { weight: 1, arbitrary: many }),
  }).map(({ lifetime, ...rest }) => ({ ...rest, expiresAt: rest.issuedAt + lifetime }));
};

/** Any address that this version can sign. */
export const anyOwnFields = fields(false);

/** Any address of this or a later minor version, with fields that we do not know where they may be. */
export const anyFields: fc.Arbitrary<AddressFields> = fc.integer({ min: 0, max: 255 }).chain(minor =>
  record({ own: fields(minor > 0), unknown: unknownFields, key: bytes(32) }).map(({ own, unknown, key }) => ({
    ...own,
    minor,
    id: identity.id,
    sealingKey: key,
    unknownFields: minor > 0 ? unknown : [],
  })),
);
