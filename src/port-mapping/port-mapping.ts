// What a gateway gave: an external endpoint that leads to a port of ours, and what users may ask of it.
// The vocabulary of this room; the three protocols, the mapper and the address all speak it.
import { z } from 'zod';
import type { Endpoint } from '../net/endpoint.js';

/** In the order of preference: one round trip and exact first, the elaborate one last. */
export const PORT_MAPPING_PROTOCOLS = ['pcp', 'nat-pmp', 'upnp-igd'] as const;
export type PortMappingProtocol = (typeof PORT_MAPPING_PROTOCOLS)[number];

/** A port that the gateway opened for us: a mapping (IPv4) or a pinhole in its firewall (IPv6). */
export interface PortMapping {
  readonly protocol: PortMappingProtocol;
  /** Where the outside reaches the internal port. */
  readonly external: Endpoint;
  /** What the gateway granted, in seconds; 0: until removed (gateways that know only permanent leases). */
  readonly lifetimeSeconds: number;
  /** A connection through it succeeded. False: nobody was there to try; dial it last. */
  readonly proved: boolean;
  /** The external address is itself private or shared: another NAT stands in front of this gateway. */
  readonly doubleNat?: true;
}

/** What users may set about port mapping. */
export const portMappingOptionsSchema = z.strictObject({
  /** Whether to ask the gateway at all. Default: true. */
  enabled: z.boolean().default(true),
  /** Which protocols to speak, at least one; the order of preference is fixed. Default: all three. */
  protocols: z
    .array(z.enum(PORT_MAPPING_PROTOCOLS))
    .min(1)
    .default([...PORT_MAPPING_PROTOCOLS]),
  /**
   * The lease to ask for, in seconds, 2 to 86400; renewed at half. Default: 3600, so that a killed process
   * leaves its hole open for an hour at most. Many gateways raise anything below 120.
   */
  leaseSeconds: z.int().min(2).max(86_400).default(3600),
  /** The external port to wish for, 1 to 65535; the gateway may give another. Default: the internal port. */
  externalPort: z.int().min(1).max(65535).optional(),
  /** What the gateway shows its owner beside the mapping (UPnP only), 1 to 63 characters. Default: `wayleave`. */
  description: z.string().min(1).max(63).default('wayleave'),
});
export type PortMappingOptions = z.infer<typeof portMappingOptionsSchema>;
