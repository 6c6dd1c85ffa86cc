// What a gateway may give and what it may not: an external endpoint is believed only if somebody could be
// there. Everything else is a lie or a fault, and is treated as a refusal.
import { WayleaveError } from '../errors.js';
import { ipScope } from '../net/ip-scope.js';
import type { PortMappingProtocol } from './port-mapping.js';

/** Said success, gave nothing that can be used. */
export function unusableGrant(protocol: PortMappingProtocol, address: string, port: number): WayleaveError {
  return new WayleaveError(
    'request-failed',
    `the gateway granted ${address}, port ${port} by ${protocol}: nothing can be there`,
  );
}

/**
 * How an external address is to be taken: `public`; `inner` when it is private or shared, so that another NAT
 * stands in front; `unusable` when nothing can be reached there at all.
 */
export function externalKind(address: string): 'public' | 'inner' | 'unusable' {
  switch (ipScope(address)) {
    case 'global':
      return 'public';
    case 'private':
    case 'shared':
      return 'inner';
    default:
      return 'unusable';
  }
}
