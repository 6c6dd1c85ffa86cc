// The PCP client (RFC 6887): one MAP mapping, for IPv4 through a NAT or for IPv6 through a firewall, both by
// the same message. Its nonce proves to the gateway, at renewal and removal, that the mapping is ours.
import { randomBytes } from 'node:crypto';
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
  decodePcpResponse,
  encodePcpAnnounceRequest,
  encodePcpMapRequest,
  PCP_NONCE_LENGTH,
  type PcpResponse,
} from './pcp-message.js';

type MapResponse = Extract<PcpResponse, { opcode: 'map' }>;

export class PcpClient implements MappingClient {
  readonly protocol = 'pcp';
  readonly #path: GatewayPath;
  readonly #nonce = Uint8Array.from(randomBytes(PCP_NONCE_LENGTH));
  readonly #epoch = new EpochWatch('pcp');
  /** What was asked for, and what came: an aborted request may have made a mapping all the same. */
  #open: { internalPort: number; response?: MapResponse } | undefined;

  constructor(path: GatewayPath) {
    this.#path = path;
  }

  async detect(signal: AbortSignal): Promise<void> {
    await this.#announce(signal);
  }

  async open(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    const { internalPort, externalPort, lifetimeSeconds } = request;
    const suggested = this.#open?.response?.externalAddress;
    this.#open ??= { internalPort };
    const response = await this.#map(internalPort, externalPort, lifetimeSeconds, signal, suggested);
    this.#open = { internalPort, response };
    const external = toEndpoint(response.externalAddress, response.externalPort);
    if (!external || response.lifetimeSeconds === 0)
      throw unusableGrant(this.protocol, response.externalAddress, response.externalPort);
    return { external, lifetimeSeconds: response.lifetimeSeconds };
  }

  async check(signal: AbortSignal): Promise<MappingHealth> {
    const verdict = await this.#announce(signal);
    return verdict === 'restarted' ? 'lost' : verdict;
  }

  async remove(signal: AbortSignal): Promise<void> {
    if (!this.#open) return;
    const { internalPort, response } = this.#open;
    this.#open = undefined;
    await this.#map(internalPort, response?.externalPort ?? 0, 0, signal, response?.externalAddress);
  }

  /** An ANNOUNCE that is refused still shows that PCP is spoken, and carries the epoch. */
  async #announce(signal: AbortSignal): Promise<EpochVerdict> {
    const request = encodePcpAnnounceRequest(this.#path.localAddress);
    const accept = (datagram: Uint8Array) => {
      const response = decodePcpResponse(datagram);
      return response.opcode === 'announce' ? response : undefined;
    };
    const { epochSeconds, resultCode } = await exchangeDatagrams(this.#path, request, accept, signal);
    if (resultCode === 1) throw new GatewayRefusal(this.protocol, resultCode);
    return this.#epoch.observe(epochSeconds, this.#path.clock.now());
  }

  async #map(
    internalPort: number,
    externalPort: number,
    lifetimeSeconds: number,
    signal: AbortSignal,
    externalAddress: string | undefined,
  ): Promise<MapResponse> {
    const nonce = this.#nonce;
    const request = encodePcpMapRequest({
      nonce,
      clientAddress: this.#path.localAddress,
      lifetimeSeconds,
      internalPort,
      externalPort,
      externalAddress,
    });
    const accept = (datagram: Uint8Array): MapResponse | undefined => {
      const response = decodePcpResponse(datagram);
      if (response.opcode !== 'map' || response.internalPort !== internalPort) return undefined;
      return Buffer.compare(response.nonce, nonce) === 0 ? response : undefined;
    };
    const response = await exchangeDatagrams(this.#path, request, accept, signal);
    this.#epoch.observe(response.epochSeconds, this.#path.clock.now());
    if (response.resultCode !== 0) throw new GatewayRefusal(this.protocol, response.resultCode);
    return response;
  }
}
