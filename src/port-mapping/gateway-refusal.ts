// A gateway that answered, and said no: one error for all three protocols, with the number and its meaning
// from the tables of RFC 6886 section 3.5, RFC 6887 section 7.4 and the UPnP IGD service documents.
import { WayleaveError } from '../errors.js';
import type { PortMappingProtocol } from './port-mapping.js';

const MEANINGS: Record<PortMappingProtocol, ReadonlyMap<number, string>> = {
  pcp: new Map([
    [1, 'unsupported version'],
    [2, 'not authorized'],
    [3, 'malformed request'],
    [4, 'unsupported opcode'],
    [5, 'unsupported option'],
    [6, 'malformed option'],
    [7, 'network failure: the gateway has no external address'],
    [8, 'no resources'],
    [9, 'unsupported transport protocol'],
    [10, 'quota exceeded'],
    [11, 'cannot provide the external port or address'],
    [12, 'address mismatch: another NAT stands between us and the gateway'],
    [13, 'excessive remote peers'],
  ]),
  'nat-pmp': new Map([
    [1, 'unsupported version'],
    [2, 'not authorized'],
    [3, 'network failure: the gateway has no external address'],
    [4, 'out of resources'],
    [5, 'unsupported opcode'],
  ]),
  'upnp-igd': new Map([
    [401, 'invalid action'],
    [402, 'invalid arguments'],
    [501, 'action failed'],
    [606, 'action not authorized'],
    [701, 'pinhole space exhausted'],
    [702, 'firewall disabled'],
    [703, 'inbound pinholes not allowed'],
    [704, 'no such pinhole'],
    [708, 'wildcard source not permitted'],
    [714, 'no such mapping'],
    [715, 'wildcard source not permitted'],
    [716, 'wildcard external port not permitted'],
    [718, 'conflicts with another mapping'],
    [724, 'internal and external port must be the same'],
    [725, 'only permanent leases'],
    [728, 'no port mappings left'],
    [729, 'conflicts with another mechanism'],
    [732, 'wildcard internal port not permitted'],
  ]),
};

/** What the number means in that protocol, in a few words. */
function refusalMeaning(protocol: PortMappingProtocol, number: number): string {
  return MEANINGS[protocol].get(number) ?? 'unknown reason';
}

/** The gateway's own error number, with its meaning; code `request-failed`. */
export class GatewayRefusal extends WayleaveError {
  override readonly name = 'GatewayRefusal';
  readonly protocol: PortMappingProtocol;
  readonly number: number;

  constructor(protocol: PortMappingProtocol, number: number) {
    super(
      'request-failed',
      `the gateway refused by ${protocol}: ${number} (${refusalMeaning(protocol, number)})`,
    );
    this.protocol = protocol;
    this.number = number;
  }
}
