// The node's own address while it lives: built from what the machine has and what was learned about it, signed
// anew when either changes and at half of its lifetime.
import type { Identity } from '../identity/keys.js';
import { UNKNOWN_BEHAVIOUR } from '../nat/profile.js';
import type { Clock } from '../net/clock.js';
import { type LocalAddress, localAddresses } from '../net/interfaces.js';
import { ipScope } from '../net/ip-scope.js';
import { machineTag } from '../net/machine.js';
import type { Capability, InterfaceAddress } from './address-schema.js';
import { NodeAddress } from './node-address.js';

/** Most interface addresses in one node address. */
const MAX_INTERFACES = 16;

/** What was learned about one local address. */
export type Learned = Partial<Pick<InterfaceAddress, 'external' | 'tcp' | 'udp'>>;

/** A port outside that leads to ours, and how that came to be. */
export type Mapped = { readonly [K in 'external' | 'mapping']: NonNullable<InterfaceAddress[K]> };

export interface OwnAddressOptions {
  readonly identity: Identity;
  readonly clock: Clock;
  /** The listening port; null: none. */
  readonly port: number | null;
  /** The address listened on; undefined: all. */
  readonly host: string | undefined;
  readonly servers: readonly string[];
  readonly capabilities: readonly Capability[];
  readonly lifetimeMs: number;
  readonly pollMs: number;
  readonly onChange: (address: NodeAddress) => void;
  /** The machine has other addresses than before; what was learned of those that are gone is forgotten. */
  readonly onNetworkChange?: () => void;
  /** For tests: the machine's addresses. */
  readonly localAddresses?: () => LocalAddress[];
}

export class OwnAddress implements Disposable {
  readonly #options: OwnAddressOptions;
  readonly #learned = new Map<string, Learned>();
  readonly #gained = new Set<Capability>();
  readonly #mapped = new Map<string, Mapped>();
  readonly #timer: NodeJS.Timeout;
  #local: LocalAddress[];
  #current: NodeAddress;

  constructor(options: OwnAddressOptions) {
    this.#options = options;
    this.#local = this.#look();
    this.#current = this.#sign();
    this.#timer = setInterval(() => this.#poll(), options.pollMs);
    this.#timer.unref(); // looking at interfaces is no reason for a process to live
  }

  get current(): NodeAddress {
    return this.#current;
  }

  /** The addresses in it, as the machine has them. */
  get local(): readonly LocalAddress[] {
    return this.#local;
  }

  /** Adds what was found out about one local address, and publishes if that changed anything. */
  learn(address: string, facts: Learned): void {
    this.#learned.set(address, { ...this.#learned.get(address), ...facts });
    this.#publishIfNew();
  }

  /** What this node can do for others from now on, beyond what it could at its start. */
  gain(capability: Capability): void {
    if (this.#gained.has(capability)) return;
    this.#gained.add(capability);
    this.#publish();
  }

  /** A way in to one local address was opened, or is gone; publishes if that changed anything. */
  mapped(address: string, way: Mapped | undefined): void {
    if (way) this.#mapped.set(address, way);
    else this.#mapped.delete(address);
    this.#publishIfNew();
  }

  /** A server saw us come from this address: it is what the world sees of our one private address, if it is one. */
  seenAs(host: string): void {
    const family = host.includes(':') ? 6 : 4;
    const behind = this.#local.filter(local => local.family === family && local.scope !== 'global');
    const [only] = behind;
    if (ipScope(host) !== 'global' || behind.length !== 1 || !only || only.scope === 'loopback') return;
    if (this.#learned.get(only.address)?.external) return; // measured is better
    this.learn(only.address, { external: { host, port: null } });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): LocalAddress[] {
    const { host, localAddresses: look = localAddresses } = this.#options;
    const all = look().slice(0, MAX_INTERFACES);
    if (host === undefined || host === '::') return all;
    if (host === '0.0.0.0') return all.filter(({ family }) => family === 4);
    const one = all.filter(({ address }) => address === host);
    if (one.length > 0) return one;
    const family = host.includes(':') ? 6 : 4;
    return [{ name: '', family, address: host, prefix: family === 4 ? 32 : 128, scope: ipScope(host) }];
  }

  #poll(): void {
    let local: LocalAddress[];
    try {
      local = this.#look();
    } catch {
      return; // the system has no descriptor left for the question: what was true a moment ago stays
    }
    if (JSON.stringify(local) !== JSON.stringify(this.#local)) {
      this.#local = local;
      const present = new Set(local.map(({ address }) => address));
      for (const known of [this.#learned, this.#mapped])
        for (const address of known.keys()) if (!present.has(address)) known.delete(address);
      this.#publish();
      this.#options.onNetworkChange?.();
    } else {
      const ageMs = this.#options.clock.wall() - this.#current.issuedAt.getTime();
      if (ageMs > this.#options.lifetimeMs / 2 || ageMs < 0) this.#publish(); // below 0: the clock was set back
    }
  }

  #publishIfNew(): void {
    const before = JSON.stringify(this.#current.interfaces);
    const next = this.#sign();
    if (JSON.stringify(next.interfaces) === before) return;
    this.#current = next;
    this.#options.onChange(next);
  }

  #publish(): void {
    this.#current = this.#sign();
    this.#options.onChange(this.#current);
  }

  #sign(): NodeAddress {
    const { identity, clock, port, servers, capabilities, lifetimeMs } = this.#options;
    const now = clock.wall();
    return NodeAddress.sign(identity, {
      issuedAt: now,
      expiresAt: now + lifetimeMs,
      machine: machineTag(identity.id),
      capabilities: [...capabilities, ...this.#gained],
      servers: [...servers],
      interfaces: this.#local.map(({ family, address, prefix }) => ({
        family,
        address,
        prefix,
        port,
        external: null,
        mapping: null,
        tcp: UNKNOWN_BEHAVIOUR,
        udp: UNKNOWN_BEHAVIOUR,
        ...this.#learned.get(address),
        ...this.#mapped.get(address),
        unknownFields: [],
      })),
    });
  }
}
