// What this room tells the world: one name an event, published through node:diagnostics_channel as
// `wayleave:<event>`. The core prints nothing; the debug log, the CLI and tests subscribe.
import { channel } from 'node:diagnostics_channel';
import type { PortMapping, PortMappingProtocol } from './port-mapping.js';

/** The events, with their fields. */
export interface PortMappingEvents {
  /** No default gateway on the interface, or none that speaks any of the protocols. */
  'port-mapping-unavailable': { localAddress: string; reason: string };
  /** A mapping is held; also after it was re-made, with `remade`. */
  'port-mapping-opened': {
    localAddress: string;
    internalPort: number;
    mapping: PortMapping;
    remade: boolean;
  };
  'port-mapping-renewed': { localAddress: string; internalPort: number; lifetimeSeconds: number };
  /** The gateway restarted, forgot, or let the lease run out. */
  'port-mapping-lost': { localAddress: string; internalPort: number; reason: string };
  'port-mapping-removed': { localAddress: string; internalPort: number };
  /** One protocol did not give what was asked; the next is tried. */
  'port-mapping-failed': { localAddress: string; protocol: PortMappingProtocol; reason: string };
  /** Something that came from the network was not believed. */
  'port-mapping-ignored': { protocol: PortMappingProtocol; sender: string; reason: string };
}

/** Publishes to `wayleave:<name>`; costs nothing while nobody subscribes. */
export function publish<Name extends keyof PortMappingEvents>(
  name: Name,
  fields: PortMappingEvents[Name],
): void {
  const target = channel(`wayleave:${name}`);
  if (target.hasSubscribers) target.publish({ event: name, ...fields });
}
