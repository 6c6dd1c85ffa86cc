// Which protocol serves which address family: PCP both, NAT-PMP IPv4 alone, UPnP by one service for each.
import { familyOf } from '../net/ip-scope.js';
import { PORT_MAPPING_PROTOCOLS } from '../options.js';
import type { GatewayPath, MappingClient } from './mapping-protocol.js';
import { NatPmpClient } from './nat-pmp.js';
import { PcpClient } from './pcp.js';
import type { PortMappingProtocol } from './port-mapping.js';
import { UpnpIgdClient } from './upnp-igd.js';
import { UpnpPinholeClient } from './upnp-pinhole.js';

type ClientClass = new (path: GatewayPath) => MappingClient;

const CLIENTS: Record<PortMappingProtocol, { readonly 4: ClientClass; readonly 6?: ClientClass }> = {
  pcp: { 4: PcpClient, 6: PcpClient },
  'nat-pmp': { 4: NatPmpClient },
  'upnp-igd': { 4: UpnpIgdClient, 6: UpnpPinholeClient },
};

/** A fresh client for each allowed protocol that the family has, in the order of preference. */
export function mappingClients(path: GatewayPath, allowed: readonly PortMappingProtocol[]): MappingClient[] {
  const family = familyOf(path.localAddress);
  return PORT_MAPPING_PROTOCOLS.filter(protocol => allowed.includes(protocol)).flatMap(protocol => {
    const Client = CLIENTS[protocol][family];
    return Client ? [new Client(path)] : [];
  });
}
