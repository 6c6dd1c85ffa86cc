// Whom the relay will talk to for a client (RFC 8656 section 21.1.4 and 21.1.5, security.md row 33): the
// public Internet, and its own relayed addresses. A relay that reaches further is a way into its owner's network.
import { networkInterfaces } from 'node:os';
import { canonicalIp, type IpScope, ipScope } from '../../src/net/ip-scope.js';

export interface PeerPolicyOptions {
  /** The addresses that this relay hands out, as clients see them and as they are bound. */
  readonly ownHosts: readonly string[];
  /** Also RFC 1918, RFC 6598 and RFC 4193 addresses, and this machine's other addresses. Default: false. */
  readonly allowPrivatePeers?: boolean | undefined;
  /** Also loopback, for tests on one machine. Default: false. */
  readonly allowLoopbackPeers?: boolean | undefined;
  /** This machine's addresses. Default: looked up. */
  readonly machineHosts?: readonly string[] | undefined;
}

/** Addresses in public ranges at which clouds answer their guests and nobody else. */
const METADATA_HOSTS: ReadonlySet<string> = new Set(['168.63.129.16']);

/**
 * - `open`: through the network
 * - `own`: an address of this relay: delivered inside it to another allocation, or not at all
 * - `refused`: 403
 */
export type PeerVerdict = 'open' | 'own' | 'refused';

export class PeerPolicy {
  readonly #own: ReadonlySet<string>;
  readonly #machine: ReadonlySet<string>;
  readonly #allowed: ReadonlySet<IpScope>;
  readonly #allowMachine: boolean;

  constructor(options: PeerPolicyOptions) {
    const { allowPrivatePeers = false, allowLoopbackPeers = false } = options;
    this.#own = new Set(options.ownHosts);
    this.#machine = new Set(options.machineHosts ?? machineHosts());
    this.#allowMachine = allowPrivatePeers;
    const allowed: IpScope[] = ['global'];
    if (allowPrivatePeers) allowed.push('private', 'shared');
    if (allowLoopbackPeers) allowed.push('loopback');
    this.#allowed = new Set(allowed);
  }

  /** @param host canonical IP literal. */
  verdict(host: string): PeerVerdict {
    const reachable = this.#reachable(host);
    if (this.#own.has(host)) return 'own';
    return reachable ? 'open' : 'refused';
  }

  /** Whether an own address that no allocation holds may be tried through the network. */
  ownIsOpen(host: string): boolean {
    return this.#reachable(host);
  }

  #reachable(host: string): boolean {
    if (METADATA_HOSTS.has(host)) return false;
    const scope = ipScope(host);
    if (!this.#allowed.has(scope)) return false;
    return this.#allowMachine || scope === 'loopback' || !(this.#machine.has(host) || this.#own.has(host));
  }
}

function machineHosts(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(entries => entries ?? [])
    .map(({ address }) => canonicalIp(address))
    .filter(address => address !== undefined);
}
