// HOST:PORT as `forward` and `node --allow-forward` take it. A name stays a name: the far side resolves it, since
// its owner typed it. Pure.
import { InvalidArgumentError } from 'commander';
import { canonicalIp } from '../net/ip-scope.js';

export interface ForwardTarget {
  /** A canonical IP literal or a name in lower case. */
  readonly host: string;
  readonly port: number;
  /** The one spelling by which targets are compared: `name:80`, `127.0.0.1:80`, `[::1]:80`. */
  readonly text: string;
}

/** Undefined for anything that is not a host and a port from 1 to 65535. */
export function parseTarget(text: string): ForwardTarget | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]{1,253})):([0-9]{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, bracketed, plain = '', digits] = match;
  const port = Number(digits);
  const host = bracketed === undefined ? (canonicalIp(plain) ?? plain.toLowerCase()) : canonicalIp(bracketed);
  if (host === undefined || port < 1 || port > 65535) return undefined;
  return { host, port, text: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}

/** A parser for repeated HOST:PORT. */
export function forwardTargets(value: string, earlier: ForwardTarget[] = []): ForwardTarget[] {
  const target = parseTarget(value);
  if (target) return [...earlier, target];
  throw new InvalidArgumentError('It must be HOST:PORT, like localhost:8080 or [::1]:22.');
}

/** A parser for LOCALPORT:HOST:PORT. */
export function forwardSpec(value: string): { localPort: number; target: ForwardTarget } {
  const match = /^([0-9]{1,5}):(.+)$/.exec(value);
  const target = match && parseTarget(match[2]!);
  const localPort = Number(match?.[1]);
  if (target && localPort <= 65535) return { localPort, target };
  throw new InvalidArgumentError('It must be LOCALPORT:HOST:PORT, like 8080:localhost:80.');
}
