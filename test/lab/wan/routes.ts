// Which link an address lives behind: the WAN's routing table, longest prefix first.
import { ipBytes } from '../../../src/net/ip-scope.js';

const CACHE_LIMIT = 65_536; // scans of random addresses must not fill the memory

export class Routes<T> {
  /** Hex prefixes by their length in digits, longest first, one table per family. */
  readonly #tables = new Map<string, { digits: number; family: number; prefixes: Map<string, T> }>();
  readonly #cache = new Map<string, T | undefined>();

  /** `cidr` is an address and a prefix length that is a whole number of bytes. */
  add(cidr: string, target: T): void {
    const [address = '', bits = ''] = cidr.split('/');
    const hex = Buffer.from(ipBytes(address) ?? []).toString('hex');
    const digits = Number(bits) / 4;
    if (hex === '' || !Number.isInteger(digits / 2)) throw new Error(`not a prefix of whole bytes: ${cidr}`);
    const key = `${hex.length}/${digits}`;
    const table = this.#tables.get(key) ?? { digits, family: hex.length, prefixes: new Map<string, T>() };
    table.prefixes.set(hex.slice(0, digits), target);
    this.#tables.set(key, table);
    const longestFirst = [...this.#tables].sort(([, a], [, b]) => b.digits - a.digits);
    this.#tables.clear();
    for (const [name, entry] of longestFirst) this.#tables.set(name, entry);
    this.#cache.clear();
  }

  /** The target for an address in hex (8 digits or 32). */
  find(destination: string): T | undefined {
    if (this.#cache.has(destination)) return this.#cache.get(destination);
    let found: T | undefined;
    for (const { digits, family, prefixes } of this.#tables.values()) {
      if (family !== destination.length) continue;
      found = prefixes.get(destination.slice(0, digits));
      if (found !== undefined) break;
    }
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear();
    this.#cache.set(destination, found);
    return found;
  }
}
