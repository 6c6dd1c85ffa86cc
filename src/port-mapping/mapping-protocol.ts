// The wall between the mapper and the three protocols: one MappingClient holds one mapping on one gateway.
// The mapper decides when; the client knows only how.
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import type { Gateway } from './gateway.js';
import type { PortMappingProtocol } from './port-mapping.js';

/** From where, to whom, by which clock. */
export interface GatewayPath {
  readonly gateway: Gateway;
  /** The address of ours that the mapping leads to, and that every request comes from. */
  readonly localAddress: string;
  readonly clock: Clock;
}

export interface MappingRequest {
  readonly internalPort: number;
  /** A wish; what the gateway gives is what counts. */
  readonly externalPort: number;
  readonly lifetimeSeconds: number;
  readonly description: string;
}

export interface GrantedMapping {
  readonly external: Endpoint;
  /** 0: until removed. */
  readonly lifetimeSeconds: number;
}

/**
 * `steady`: the gateway still stands by the mapping. `lost`: it restarted or forgot. `unclear`: it answered, and
 * only asking for the mapping again can tell. A check that nobody answers rejects.
 */
export type MappingHealth = 'steady' | 'lost' | 'unclear';

export interface MappingClient {
  readonly protocol: PortMappingProtocol;
  /** Settles when the gateway has shown that it speaks this protocol; rejects if it does not. Changes nothing. */
  detect(signal: AbortSignal): Promise<void>;
  /** Asks for the mapping. Asked again with the same internal port, it renews or re-makes the same one. */
  open(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping>;
  check(signal: AbortSignal): Promise<MappingHealth>;
  /** Takes the mapping back, if one was made. */
  remove(signal: AbortSignal): Promise<void>;
}
