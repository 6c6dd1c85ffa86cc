// What the UPnP clients share: the way from a search to the service that serves, remembered, and looked for anew when
// the gateway behind it seems to be another than before.
import { GatewayRefusal } from './gateway-refusal.js';
import type {
  GatewayPath,
  GrantedMapping,
  MappingClient,
  MappingHealth,
  MappingRequest,
} from './mapping-protocol.js';
import { searchGateway } from './ssdp.js';
import { readServices } from './upnp-control.js';
import type { UpnpService } from './upnp-service.js';

/** `Found`: the service, with what a client wants to know of it. */
export abstract class UpnpClient<Found> implements MappingClient {
  readonly protocol = 'upnp-igd';
  protected readonly path: GatewayPath;
  protected found: Found | undefined;

  constructor(path: GatewayPath) {
    this.path = path;
  }

  async detect(signal: AbortSignal): Promise<void> {
    await this.#find(signal);
  }

  /** A gateway that restarted may describe itself anew, on another port: looked for from the start then. */
  async open(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    if (this.found) {
      try {
        return await this.openOn(this.found, request, signal);
      } catch (error) {
        if (error instanceof GatewayRefusal || signal.aborted) throw error;
        this.found = undefined;
      }
    }
    return this.openOn(await this.#find(signal), request, signal);
  }

  abstract check(signal: AbortSignal): Promise<MappingHealth>;
  abstract remove(signal: AbortSignal): Promise<void>;

  /** The service among these that serves. @throws WayleaveError `request-failed` when none does. */
  protected abstract choose(services: readonly UpnpService[], signal: AbortSignal): Promise<Found>;
  protected abstract openOn(
    found: Found,
    request: MappingRequest,
    signal: AbortSignal,
  ): Promise<GrantedMapping>;

  async #find(signal: AbortSignal): Promise<Found> {
    if (this.found) return this.found;
    const location = await searchGateway(this.path, signal);
    const services = await readServices(this.path, location, signal);
    return (this.found = await this.choose(services, signal));
  }
}
