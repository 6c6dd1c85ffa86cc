// Where a client really comes from when reverse proxies stand in front (de facto X-Forwarded-For; RFC 7239 section 5.2
// tells of the same chain). Pure: only proxies that the administrator lists are believed, and each only about the
// hop before it.
import { toEndpoint } from '../src/net/endpoint.js';
import { canonicalIp, inSamePrefix, unmappedIp } from '../src/net/ip-scope.js';

export type Trust = (host: string) => boolean;

/** A port of 0 is one that nobody told. */
export interface ClientAddress {
  readonly host: string;
  readonly port: number;
}

/** Whether an address belongs to one of these addresses and networks (CIDR). */
export function trusting(networks: readonly string[]): Trust {
  const rows = networks.map(network => {
    const [written = '', bits] = network.split('/');
    const address = unmappedIp(written); // as the addresses of connections are
    return { address, bits: bits === undefined ? (address.includes(':') ? 128 : 32) : Number(bits) };
  });
  return host => rows.some(({ address, bits }) => inSamePrefix(host, address, bits));
}

/**
 * The rightmost address that no listed proxy has: what stands left of it is the client's own word.
 * @param remote who is connected to us
 * @param header X-Forwarded-For, its lines joined with commas
 * @returns undefined when a listed proxy passed on what is no address: then nobody knows who it is
 */
export function clientAddress(
  remote: ClientAddress,
  header: string | undefined,
  trusts: Trust,
): ClientAddress | undefined {
  let client = remote;
  const hops = header === undefined ? [] : header.split(',');
  while (trusts(client.host) && hops.length > 0) {
    const hop = readHop(hops.pop()!.trim());
    if (!hop) return undefined;
    client = hop;
  }
  return client;
}

/** `1.2.3.4`, `1.2.3.4:5`, `[2001:db8::1]`, `[2001:db8::1]:5` or `2001:db8::1`; no zones, no names. */
function readHop(text: string): ClientAddress | undefined {
  const plain = canonicalIp(text);
  if (plain !== undefined) return { host: unmappedIp(plain), port: 0 };
  const match = /^(?:\[([^\]]{2,45})\]|([0-9.]{7,15}))(?::([0-9]{1,5}))?$/.exec(text);
  const host = canonicalIp(match?.[1] ?? match?.[2] ?? '');
  if (!match || host === undefined) return undefined;
  if (match[3] === undefined) return { host: unmappedIp(host), port: 0 };
  const endpoint = toEndpoint(host, Number(match[3]));
  return endpoint && { host: unmappedIp(endpoint.host), port: endpoint.port };
}
