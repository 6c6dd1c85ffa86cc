// The NAT-PMP client (RFC 6886), IPv4 only: the external address is one question, the mapping another.
import { WayleaveError } from '../errors.js';
import { toEndpoint } from '../net/endpoint.js';
import { exchangeDatagrams } from './datagram-exchange.js';
import { type EpochVerdict, EpochWatch } from './epoch.js';
import { unusableGrant } from './external-address.js';
import { GatewayRefusal } from './gateway-refusal.js';
import type {
  GatewayPath,
  GrantedMapping,
  MappingClient,
  MappingHealth,
  MappingRequest,
} from './mapping-protocol.js';
import {
  decodeNatPmpResponse,
  encodeNatPmpAddressRequest,
  encodeNatPmpMapRequest,
  type NatPmpMapRequest,
} from './nat-pmp-message.js';

export class NatPmpClient implements MappingClient {
  readonly protocol = 'nat-pmp';
  readonly #path: GatewayPath;
  readonly #epoch = new EpochWatch('nat-pmp');
  #externalAddress: string | undefined;
  #internalPort: number | undefined;

  constructor(path: GatewayPath) {
    this.#path = path;
  }

  async detect(signal: AbortSignal): Promise<void> {
    await this.#askAddress(signal);
  }

  async open(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    const { internalPort, externalPort, lifetimeSeconds } = request;
    const { address } = await this.#askAddress(signal);
    this.#externalAddress = address;
    this.#internalPort = internalPort;
    const granted = await this.#map({ internalPort, externalPort, lifetimeSeconds }, signal);
    const external = toEndpoint(address, granted.externalPort);
    if (!external || granted.lifetimeSeconds === 0)
      throw unusableGrant(this.protocol, address, granted.externalPort);
    return { external, lifetimeSeconds: granted.lifetimeSeconds };
  }

  /** A new external address is a loss too: what was published leads elsewhere. */
  async check(signal: AbortSignal): Promise<MappingHealth> {
    const { address, epoch } = await this.#askAddress(signal);
    return epoch === 'restarted' || address !== this.#externalAddress ? 'lost' : epoch;
  }

  /** Section 3.4: lifetime and external port 0. */
  async remove(signal: AbortSignal): Promise<void> {
    const internalPort = this.#internalPort;
    if (internalPort === undefined) return;
    this.#internalPort = undefined;
    await this.#map({ internalPort, externalPort: 0, lifetimeSeconds: 0 }, signal);
  }

  async #askAddress(signal: AbortSignal): Promise<{ address: string; epoch: EpochVerdict }> {
    const accept = (datagram: Uint8Array) => {
      const response = decodeNatPmpResponse(datagram);
      return response.opcode === 'address' ? response : undefined;
    };
    const response = await exchangeDatagrams(this.#path, encodeNatPmpAddressRequest(), accept, signal);
    const epoch = this.#epoch.observe(response.epochSeconds, this.#path.clock.now());
    if (response.externalAddress === undefined) throw new GatewayRefusal(this.protocol, response.resultCode);
    return { address: response.externalAddress, epoch };
  }

  async #map(request: NatPmpMapRequest, signal: AbortSignal) {
    const accept = (datagram: Uint8Array) => {
      const response = decodeNatPmpResponse(datagram);
      if (response.opcode !== 'map') return undefined;
      return response.mapping && response.mapping.internalPort !== request.internalPort
        ? undefined
        : response;
    };
    const response = await exchangeDatagrams(this.#path, encodeNatPmpMapRequest(request), accept, signal);
    this.#epoch.observe(response.epochSeconds, this.#path.clock.now());
    if (!response.mapping) {
      if (response.resultCode !== 0) throw new GatewayRefusal(this.protocol, response.resultCode);
      throw new WayleaveError('request-failed', 'the gateway answered without a mapping');
    }
    return response.mapping;
  }
}
