// Where a NATS server is and how to log in there, out of one URL: nats://host, tls://host:4222, with user:password@
// or token@ before the host. The client package wants the parts, and what is logged must hold no secret.

/** The port that NATS listens on where nothing else is said. */
const DEFAULT_PORT = '4222';

export interface NatsServer {
  /** `host:port`, fit to be shown. */
  readonly at: string;
  readonly host: string;
  /** Nothing but TLS will do. */
  readonly tls: boolean;
  readonly login: { readonly user: string; readonly pass: string } | { readonly token: string } | undefined;
}

/** Undefined: not the URL of a NATS server. */
export function parseNatsUrl(text: string): NatsServer | undefined {
  try {
    if (text.split('@').length > 2) return undefined; // where the secret ends must be plain to whoever hides it
    const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
    if (protocol !== 'nats:' && protocol !== 'tls:') return undefined;
    if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/.test(hostname)) return undefined;
    if (!['', '/'].includes(pathname) || search !== '' || hash !== '') return undefined;
    const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
    const login = pass !== '' ? { user, pass } : user !== '' ? { token: user } : undefined;
    const at = `${hostname}:${port || DEFAULT_PORT}`;
    return { at, host: hostname.replace(/^\[|\]$/g, ''), tls: protocol === 'tls:', login };
  } catch {
    return undefined; // no URL, or a stray per cent sign
  }
}
