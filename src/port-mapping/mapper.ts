// The port mapper: asks the gateway for a way in, proves it, keeps it while the node lives and takes it back
// at the end. All of it in the background: a gateway that is silent costs nobody anything.
import { abortError } from '../errors.js';
import { publish } from '../events.js';
import { type Clock, systemClock } from '../net/clock.js';
import { familyOf, ipScope } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import type { PortMappingOptions } from '../options.js';
import { type Announcement, listenForAnnouncements } from './announcements.js';
import { detectedClients } from './detection.js';
import { Doorbell } from './doorbell.js';
import { findGateway, type Gateway } from './gateway.js';
import { retryAfterMs } from './lease.js';
import { keepLease, SETTLE_MS } from './lease-keeper.js';
import { mappingClients } from './mapping-clients.js';
import type { GatewayPath, MappingClient, MappingRequest } from './mapping-protocol.js';
import type { PortMapping, PortMappingProtocol } from './port-mapping.js';
import { type ProveMapping, provedMapping } from './proof.js';

export interface PortMapperSettings {
  /** The address of ours that the mapping shall lead to. */
  readonly localAddress: string;
  /** The listening port, 1 to 65535. */
  readonly internalPort: number;
  readonly options: PortMappingOptions;
  /** Default: every mapping is published as unproved. */
  readonly prove?: ProveMapping | undefined;
  /** Hears each new value of `current`. */
  readonly onChange?: ((mapping: PortMapping | undefined) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** Default: the next hop of the default route on the interface that owns `localAddress`. */
  readonly gateway?: Gateway | undefined;
  /** Default: sockets that hear the gateway's announcements. */
  readonly listen?: typeof listenForAnnouncements | undefined;
  /** Default: a client for each allowed protocol that the address family has. */
  readonly clientsFor?:
    | ((path: GatewayPath, allowed: readonly PortMappingProtocol[]) => MappingClient[])
    | undefined;
}

/** Keeps one mapping for one port; disposing it takes the mapping back. */
export interface PortMapper extends AsyncDisposable {
  /** What is held now and may be published. */
  readonly current: PortMapping | undefined;
  /** Settles when the first round is over: `current` is known, a mapping or none. Rejects with the abort error. */
  ready(signal?: AbortSignal): Promise<void>;
}

/** Removal is a courtesy with a lease behind it: closing waits no longer than this for it. */
const REMOVAL_LIMIT_MS = 1000;

interface Held {
  readonly client: MappingClient;
  readonly mapping: PortMapping;
}

/** Starts at once, in the background; never throws. */
export function createPortMapper(settings: PortMapperSettings): PortMapper {
  return new GatewayPortMapper(settings);
}

class GatewayPortMapper implements PortMapper {
  readonly #settings: PortMapperSettings;
  readonly #clock: Clock;
  readonly #scope = new Scope();
  readonly #doorbell = new Doorbell<Announcement>();
  /** Clients that may have left something at the gateway. */
  readonly #owing = new Set<MappingClient>();
  readonly #firstRound = new AbortController();
  readonly #running: Promise<void>;
  #current: PortMapping | undefined;

  constructor(settings: PortMapperSettings) {
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
    this.#running = this.#run(this.#scope.signal)
      .catch(error => {
        if (!this.#scope.closed) this.#unavailable((error as Error).message);
      })
      .finally(() => this.#firstRound.abort());
  }

  get current(): PortMapping | undefined {
    return this.#current;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw abortError(signal);
    const over = this.#firstRound.signal;
    if (over.aborted) return;
    await new Promise<void>((resolve, reject) => {
      const onOver = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        over.removeEventListener('abort', onOver);
        reject(abortError(signal!));
      };
      over.addEventListener('abort', onOver, { once: true });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.close();
    await this.#running;
    const { localAddress, internalPort } = this.#settings;
    const owing = [...this.#owing];
    this.#current = undefined;
    await Promise.all(owing.map(client => this.#takeBack(client)));
    if (owing.length > 0) publish('port-mapping-removed', { localAddress, internalPort });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { localAddress, options, listen = listenForAnnouncements } = this.#settings;
    if (!options.enabled) return;
    if (!canBeMapped(localAddress)) return this.#unavailable('the address is of no use beyond the gateway');
    let wish = options.externalPort ?? this.#settings.internalPort;
    let hadMapping = false;
    for (let failures = 0; ; ) {
      const path = await this.#findPath(signal);
      if (path) {
        // Announcements are heard while a gateway is looked for, too: one that wakes up is asked at once.
        await using _ears = await listen(path, ring => this.#doorbell.ring(ring));
        const held = await this.#acquire(path, wish, signal);
        if (held) {
          [failures, hadMapping, wish] = [0, true, held.mapping.external.port];
          await this.#keep(held, signal);
          continue;
        }
        this.#set(undefined);
        this.#firstRound.abort();
        const heard = await this.#doorbell.wait(this.#clock, retryAfterMs(++failures, hadMapping), signal);
        if (heard) await this.#clock.sleep(SETTLE_MS, signal);
      } else {
        this.#set(undefined);
        this.#firstRound.abort();
        await this.#clock.sleep(retryAfterMs(++failures, hadMapping), signal);
      }
    }
  }

  async #findPath(signal: AbortSignal): Promise<GatewayPath | undefined> {
    const { localAddress } = this.#settings;
    const gateway = this.#settings.gateway ?? (await findGateway(localAddress, signal));
    if (!gateway) this.#unavailable('no default gateway on its interface');
    return gateway && { gateway, localAddress, clock: this.#clock };
  }

  /** One round over all protocols: the first mapping that is not proved to be a lie. */
  async #acquire(path: GatewayPath, wish: number, signal: AbortSignal): Promise<Held | undefined> {
    const clients = (this.#settings.clientsFor ?? mappingClients)(path, this.#settings.options.protocols);
    const round = new Scope();
    const stopWithUs = this.#scope.defer(() => round.close());
    try {
      const onFailure = (client: MappingClient, error: unknown) => this.#failed(client, error);
      for await (const client of detectedClients(clients, this.#clock, round.signal, onFailure)) {
        const mapping = await this.#open(client, wish, signal);
        if (mapping) return { client, mapping };
      }
      this.#unavailable('the gateway gave no mapping');
      return undefined;
    } finally {
      stopWithUs();
      await round.close();
    }
  }

  async #open(client: MappingClient, wish: number, signal: AbortSignal): Promise<PortMapping | undefined> {
    this.#owing.add(client);
    try {
      const granted = await client.open(this.#request(wish), signal);
      const { prove } = this.#settings;
      const mapping = await provedMapping(client.protocol, granted, prove, this.#clock, signal);
      if (mapping) return mapping;
      this.#failed(
        client,
        new Error(`nothing gets through ${granted.external.host}:${granted.external.port}`),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failed(client, error);
    }
    await this.#takeBack(client);
    return undefined;
  }

  /** Holds a mapping until it is lost, re-making it where the gateway restarted; returns when that failed. */
  async #keep({ client, mapping }: Held, signal: AbortSignal): Promise<void> {
    for (let held: PortMapping | undefined = mapping, remade = false; held; remade = true) {
      this.#set(held);
      this.#firstRound.abort();
      const { localAddress, internalPort } = this.#settings;
      publish('port-mapping-opened', { localAddress, internalPort, mapping: held, remade });
      const keeping = {
        client,
        mapping: held,
        request: this.#request(held.external.port),
        clock: this.#clock,
        doorbell: this.#doorbell,
        onRenewed: (lifetimeSeconds: number) =>
          publish('port-mapping-renewed', { localAddress, internalPort, lifetimeSeconds }),
        onFailed: (error: unknown) => this.#failed(client, error),
      };
      const reason = await keepLease(keeping, signal);
      publish('port-mapping-lost', { localAddress, internalPort, reason });
      held = await this.#open(client, held.external.port, signal);
    }
  }

  #request(externalPort: number): MappingRequest {
    const { internalPort, options } = this.#settings;
    const { leaseSeconds: lifetimeSeconds, description } = options;
    return { internalPort, externalPort, lifetimeSeconds, description };
  }

  async #takeBack(client: MappingClient): Promise<void> {
    using deadline = this.#clock.deadline(REMOVAL_LIMIT_MS);
    this.#owing.delete(client);
    try {
      await client.remove(deadline.signal);
    } catch (error) {
      this.#failed(client, error);
    }
  }

  #set(mapping: PortMapping | undefined): void {
    const before = this.#current;
    if (JSON.stringify(before) === JSON.stringify(mapping)) return;
    this.#current = mapping;
    this.#settings.onChange?.(mapping);
  }

  #failed(client: MappingClient, error: unknown): void {
    const { localAddress } = this.#settings;
    publish('port-mapping-failed', {
      localAddress,
      protocol: client.protocol,
      reason: (error as Error).message,
    });
  }

  #unavailable(reason: string): void {
    publish('port-mapping-unavailable', { localAddress: this.#settings.localAddress, reason });
  }
}

/** An IPv4 address behind any NAT; of IPv6 only what the outside can route to. */
function canBeMapped(address: string): boolean {
  const scope = ipScope(address);
  return scope === 'global' || (familyOf(address) === 4 && (scope === 'private' || scope === 'shared'));
}
