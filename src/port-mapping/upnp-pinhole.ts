// The UPnP client for IPv6 (WANIPv6FirewallControl:1): no address is translated, the gateway's firewall only
// lets a port through to us, for a time, under a number.
import { WayleaveError } from '../errors.js';
import { toEndpoint } from '../net/endpoint.js';
import { GatewayRefusal } from './gateway-refusal.js';
import type { GrantedMapping, MappingHealth, MappingRequest } from './mapping-protocol.js';
import { UpnpClient } from './upnp-client.js';
import { callAction } from './upnp-control.js';
import { PINHOLE_SERVICE, type UpnpService } from './upnp-service.js';

const PROTOCOL_TCP = 6;
/** Section 2.3.8: 1 to 86400 seconds. */
const MAX_LEASE_SECONDS = 86_400;

export class UpnpPinholeClient extends UpnpClient<UpnpService> {
  #pinhole: { id: string; internalPort: number; leaseSeconds: number; grantedAtMs: number } | undefined;

  protected async openOn(
    service: UpnpService,
    request: MappingRequest,
    signal: AbortSignal,
  ): Promise<GrantedMapping> {
    const { internalPort } = request;
    const leaseSeconds = Math.min(request.lifetimeSeconds, MAX_LEASE_SECONDS);
    const external = toEndpoint(this.path.localAddress, internalPort);
    if (!external) throw new WayleaveError('bad-option', `port ${internalPort} cannot be opened`);
    const granted = { external, lifetimeSeconds: leaseSeconds };
    if (this.#pinhole?.internalPort === internalPort && (await this.#update(service, leaseSeconds, signal)))
      return granted;
    const args = [
      ['RemoteHost', ''],
      ['RemotePort', 0],
      ['InternalClient', this.path.localAddress],
      ['InternalPort', internalPort],
      ['Protocol', PROTOCOL_TCP],
      ['LeaseTime', leaseSeconds],
    ] as const;
    const results = await callAction(this.path, service, 'AddPinhole', args, signal);
    const id = results('UniqueID');
    if (!/^\d{1,5}$/.test(id))
      throw new WayleaveError('request-failed', 'the gateway gave no pinhole number');
    this.#pinhole = { id, internalPort, leaseSeconds, grantedAtMs: this.path.clock.now() };
    return granted;
  }

  /** Prolongs by what is left of the lease, which changes nothing, and shows whether the number is known. */
  async check(signal: AbortSignal): Promise<MappingHealth> {
    if (!this.#pinhole || !this.found) return 'lost';
    const { leaseSeconds, grantedAtMs } = this.#pinhole;
    const leftSeconds = leaseSeconds - (this.path.clock.now() - grantedAtMs) / 1000;
    if (leftSeconds < 1) return 'lost';
    return (await this.#update(this.found, Math.ceil(leftSeconds), signal)) ? 'steady' : 'lost';
  }

  async remove(signal: AbortSignal): Promise<void> {
    const pinhole = this.#pinhole;
    if (!this.found || !pinhole) return;
    this.#pinhole = undefined;
    await callAction(this.path, this.found, 'DeletePinhole', [['UniqueID', pinhole.id]], signal);
  }

  /** False: the gateway does not know the number (any more). */
  async #update(service: UpnpService, leaseSeconds: number, signal: AbortSignal): Promise<boolean> {
    const pinhole = this.#pinhole!;
    const args = [
      ['UniqueID', pinhole.id],
      ['NewLeaseTime', leaseSeconds],
    ] as const;
    try {
      await callAction(this.path, service, 'UpdatePinhole', args, signal);
      this.#pinhole = { ...pinhole, leaseSeconds, grantedAtMs: this.path.clock.now() };
      return true;
    } catch (error) {
      if (!(error instanceof GatewayRefusal)) throw error;
      this.#pinhole = undefined;
      return false;
    }
  }

  protected async choose(services: readonly UpnpService[]): Promise<UpnpService> {
    const service = services.find(({ type }) => type === PINHOLE_SERVICE);
    if (!service) throw new WayleaveError('request-failed', 'the gateway offers no IPv6 pinholes');
    return service;
  }
}
