// The UPnP client for IPv4 (WANIPConnection:1 and :2, WANPPPConnection:1): finds the service that has an
// external address, opens a port on it that nobody else holds, and takes it back.
import { WayleaveError } from '../errors.js';
import { toEndpoint } from '../net/endpoint.js';
import { canonicalIp } from '../net/ip-scope.js';
import { externalKind, unusableGrant } from './external-address.js';
import { GatewayRefusal } from './gateway-refusal.js';
import { anotherPort, type IgdTry, MAX_IGD_TRIES, nextIgdTry } from './igd-port-choice.js';
import type { GatewayPath, GrantedMapping, MappingHealth, MappingRequest } from './mapping-protocol.js';
import type { SoapResults } from './soap-message.js';
import { UpnpClient } from './upnp-client.js';
import { callAction } from './upnp-control.js';
import { CONNECTION_SERVICES, type UpnpService } from './upnp-service.js';

/** Who holds an external port, as far as the gateway tells. */
type Holder = 'nobody' | 'us' | 'another' | 'not told';

const NO_SUCH_ENTRY = 714;

/** A WAN service and the external address that it had when it was found. */
interface Connected {
  readonly service: UpnpService;
  readonly address: string;
}

export class UpnpIgdClient extends UpnpClient<Connected> {
  readonly #random: () => number;
  #open: (IgdTry & { internalPort: number }) | undefined;

  constructor(path: GatewayPath, random: () => number = Math.random) {
    super(path);
    this.#random = random;
  }

  protected async openOn(
    { service, address }: Connected,
    request: MappingRequest,
    signal: AbortSignal,
  ): Promise<GrantedMapping> {
    const { internalPort } = request;
    let attempt: IgdTry = { externalPort: request.externalPort, leaseSeconds: request.lifetimeSeconds };
    for (let tries = 1; ; tries++) {
      // Gateways differ in whether they let one client overwrite another: never ask for a port that is taken.
      if ((await this.#holderOf(service, attempt.externalPort, internalPort, signal)) === 'another')
        attempt = { ...attempt, externalPort: anotherPort(this.#random()) };
      // Noted before it is asked for: an aborted request may have made a mapping all the same.
      this.#open = { internalPort, ...attempt };
      try {
        const externalPort = await this.#add(service, attempt, request, signal);
        const external = toEndpoint(address, externalPort);
        this.#open = { ...attempt, internalPort, externalPort };
        if (!external) throw unusableGrant(this.protocol, address, externalPort);
        return { external, lifetimeSeconds: attempt.leaseSeconds };
      } catch (error) {
        const next =
          error instanceof GatewayRefusal
            ? nextIgdTry(attempt, error.number, internalPort, this.#random())
            : undefined;
        if (!next || tries === MAX_IGD_TRIES) throw error;
        attempt = next;
      }
    }
  }

  async check(signal: AbortSignal): Promise<MappingHealth> {
    const connected = this.found;
    if (!connected || !this.#open) return 'lost';
    const { externalPort, internalPort } = this.#open;
    const address = await this.#externalAddress(connected.service, signal);
    const holder = await this.#holderOf(connected.service, externalPort, internalPort, signal);
    if (address === connected.address && (holder === 'us' || holder === 'not told')) return 'steady';
    this.found = undefined;
    return 'lost';
  }

  async remove(signal: AbortSignal): Promise<void> {
    const service = this.found?.service;
    const open = this.#open;
    if (!service || !open) return;
    this.#open = undefined;
    if ((await this.#holderOf(service, open.externalPort, open.internalPort, signal)) === 'another') return;
    await callAction(this.path, service, 'DeletePortMapping', keyOf(open.externalPort), signal);
  }

  /** The first service, in the order of preference, that has an external address. */
  protected async choose(services: readonly UpnpService[], signal: AbortSignal): Promise<Connected> {
    let cause: unknown;
    for (const service of services) {
      if (!CONNECTION_SERVICES.some(type => type === service.type)) continue;
      try {
        return { service, address: await this.#externalAddress(service, signal) };
      } catch (error) {
        if (signal.aborted) throw error;
        cause = error;
      }
    }
    throw new WayleaveError('request-failed', 'the gateway has no connected WAN service', { cause });
  }

  async #externalAddress(service: UpnpService, signal: AbortSignal): Promise<string> {
    const results = await callAction(this.path, service, 'GetExternalIPAddress', [], signal);
    const text = results('NewExternalIPAddress');
    const address = canonicalIp(text);
    if (address === undefined || externalKind(address) === 'unusable')
      throw new WayleaveError('request-failed', `the gateway's external address is ${JSON.stringify(text)}`);
    return address;
  }

  async #add(
    service: UpnpService,
    { externalPort, leaseSeconds }: IgdTry,
    { internalPort, description }: MappingRequest,
    signal: AbortSignal,
  ): Promise<number> {
    const args = [
      ...keyOf(externalPort),
      ['NewInternalPort', internalPort],
      ['NewInternalClient', this.path.localAddress],
      ['NewEnabled', 1],
      ['NewPortMappingDescription', description],
      ['NewLeaseDuration', leaseSeconds],
    ] as const;
    if (!service.type.endsWith('WANIPConnection:2')) {
      await callAction(this.path, service, 'AddPortMapping', args, signal);
      return externalPort;
    }
    const results: SoapResults = await callAction(this.path, service, 'AddAnyPortMapping', args, signal);
    return Number(results('NewReservedPort'));
  }

  /** Some gateways do not offer this action (401), or not to everybody (606). */
  async #holderOf(
    service: UpnpService,
    externalPort: number,
    internalPort: number,
    signal: AbortSignal,
  ): Promise<Holder> {
    try {
      const key = keyOf(externalPort);
      const entry = await callAction(this.path, service, 'GetSpecificPortMappingEntry', key, signal);
      const ours =
        entry('NewInternalClient') === this.path.localAddress &&
        Number(entry('NewInternalPort')) === internalPort;
      return ours ? 'us' : 'another';
    } catch (error) {
      if (!(error instanceof GatewayRefusal)) throw error;
      return error.number === NO_SUCH_ENTRY ? 'nobody' : 'not told';
    }
  }
}

/** What identifies a mapping: from any remote host, this external port, TCP. */
const keyOf = (externalPort: number) =>
  [
    ['NewRemoteHost', ''],
    ['NewExternalPort', externalPort],
    ['NewProtocol', 'TCP'],
  ] as const;
