// The UPnP services that open ports, as names and control points; what reads descriptions fills them in.
import type { GatewayUrl } from './description-location.js';

/** The services, in the order of preference: what reserves a port itself first, pinholes apart. */
export const CONNECTION_SERVICES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const;
export const PINHOLE_SERVICE = 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1';

export type UpnpServiceType = (typeof CONNECTION_SERVICES)[number] | typeof PINHOLE_SERVICE;

export interface UpnpService {
  readonly type: UpnpServiceType;
  readonly control: GatewayUrl;
}
