// What a gateway gave: an external endpoint that leads to a port of ours. The vocabulary of this room; the three
// protocols, the mapper and the address all speak it. What users may ask of it is in options.ts.
import type { Endpoint } from '../net/endpoint.js';
import type { PORT_MAPPING_PROTOCOLS } from '../options.js';

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
