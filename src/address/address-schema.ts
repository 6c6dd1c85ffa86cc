// What a node's address says, as plain data, and every bound on it. The codec turns it into bytes; this schema
// is what both ends check, so nothing malformed is ever published or believed.
import { z } from 'zod';
import { isNodeId } from '../identity/node-id.js';
import { behaviourSchema } from '../nat/profile.js';
import { canonicalIp, familyOf } from '../net/ip-scope.js';

/**
 * How an external port came to be: by a gateway protocol, or a mapping held open through a full cone.
 * `unknown`: in a way that only a later version has a word for.
 */
export const MAPPED_BY = ['unknown', 'pcp', 'nat-pmp', 'upnp-igd', 'held'] as const;

/** What the node can do for others, beyond answering direct connections. */
export const CAPABILITIES = ['reverse', 'punch', 'relay'] as const;

const port = z.int().min(1).max(65535);
const ip = z.string().refine(text => canonicalIp(text) === text, 'is not a canonical IP address');
const anyBytes = z.custom<Uint8Array>(value => value instanceof Uint8Array, 'is not bytes');
const bytes = (length: number) => anyBytes.refine(value => value.length === length, `is not ${length} bytes`);
/** A field of a later minor version: kept, ignored. */
const unknownFields = z.array(z.strictObject({ tag: z.int().min(1).max(255), value: anyBytes }));

const interfaceSchema = z
  .strictObject({
    family: z.union([z.literal(4), z.literal(6)]),
    /** The interface's own address. */
    address: ip,
    /** Length of its on-link prefix, bits. */
    prefix: z.int().min(0).max(128),
    /** The port it listens on; null: it takes no connections. */
    port: port.nullable(),
    /** What the world sees: the address, and the port where one leads to `port`. Null: not known. */
    external: z.strictObject({ host: ip, port: port.nullable() }).nullable(),
    mapping: z.strictObject({ by: z.enum(MAPPED_BY), proved: z.boolean() }).nullable(),
    tcp: behaviourSchema,
    udp: behaviourSchema,
    unknownFields,
  })
  .superRefine(({ family, address, prefix, external }, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (familyOf(address) !== family) fault('address', 'is of another family');
    if (external && familyOf(external.host) !== family) fault('external', 'is of another family');
    if (family === 4 && prefix > 32) fault('prefix', 'is longer than 32 bits');
  });

const serverUrl = z
  .string()
  .max(256)
  .regex(/^[!-~]*$/, 'holds characters other than printable ASCII') // it is shown on terminals
  .refine(text => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url !== undefined && /^(wss?|mqtts?):$/.test(url.protocol) && !url.username && !url.password;
  }, 'is not a ws, wss, mqtt or mqtts URL without credentials');

/** Five bytes hold the seconds. */
const time = z
  .int()
  .min(0)
  .max((2 ** 40 - 1) * 1000);

export const addressSchema = z
  .strictObject({
    /** Minor version of the format; the major version is in the text form's prefix. */
    minor: z.int().min(0).max(255),
    id: z.string().refine(isNodeId, 'is not a node id'),
    sealingKey: bytes(32),
    /** Milliseconds since 1970, whole seconds. */
    issuedAt: time,
    expiresAt: time,
    /** Recognised only by nodes on the same machine. */
    machine: bytes(8).nullable(),
    capabilities: z.array(z.enum(CAPABILITIES)),
    servers: z.array(serverUrl).max(4),
    interfaces: z.array(interfaceSchema).max(16),
    unknownFields,
  })
  .superRefine(({ issuedAt, expiresAt }, context) => {
    if (expiresAt <= issuedAt) {
      context.addIssue({ code: 'custom', path: ['expiresAt'], message: 'is not after issuedAt' });
    }
  });

export type AddressFields = z.infer<typeof addressSchema>;
export type InterfaceAddress = z.infer<typeof interfaceSchema>;
export type Capability = (typeof CAPABILITIES)[number];
