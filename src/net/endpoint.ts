// An IP address and a port, always canonical: what may reach a socket, and what may be compared.
import { canonicalIp, familyOf } from './ip-scope.js';

export interface Endpoint {
  /** Canonical IP literal, never a name. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** The canonical endpoint, or undefined if `host` is not an IP literal or `port` is out of range. */
export function toEndpoint(host: string, port: number): Endpoint | undefined {
  const canonical = canonicalIp(host);
  if (canonical === undefined || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { host: canonical, port };
}

/** `1.2.3.4:5` or `[2001:db8::1]:5`; also a good key for a Map. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return familyOf(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads `1.2.3.4:5` or `[2001:db8::1]:5`, in any spelling of the IPv6 address; undefined for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\]|([0-9.]+)):([1-9][0-9]{0,4})$/.exec(text);
  return match ? toEndpoint(match[1] ?? match[2] ?? '', Number(match[3])) : undefined;
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.host === b.host;
}
