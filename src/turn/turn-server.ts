// A TURN server as users and signalling servers name it: URLs of RFC 7065, credentials, and the one IP
// address that is dialled. Names are resolved only when the user wrote them (dial policy).
import { lookup } from 'node:dns/promises';
import { WayleaveError } from '../errors.js';
import { type Endpoint, toEndpoint } from '../net/endpoint.js';
import { canonicalIp } from '../net/ip-scope.js';
import type { Challenge } from '../stun/credentials.js';

/** How a client talks to a TURN server. What the server relays is another matter. */
export type ServerTransport = 'udp' | 'tcp' | 'tls';

export interface TurnServer {
  readonly endpoint: Endpoint;
  readonly transport: ServerTransport;
  readonly username: string;
  /** The password; with the REST convention an HMAC that a `grant` brought. */
  readonly credential: string;
  readonly tls?: TurnTls | undefined;
  /** The server's challenge, if it is known beforehand; a stale one costs nothing more than none. */
  readonly challenge?: Challenge | undefined;
}

/** TLS only keeps onlookers and middleboxes out: pipes prove and encrypt by themselves, whatever the relay. */
interface TurnTls {
  /** The name that the certificate must carry. Default: the host of the URL, also when it is an IP address. */
  readonly servername?: string | undefined;
  /** Certificates to trust, PEM. Default: those of Node.js. */
  readonly ca?: string | Buffer | undefined;
  /** Default: true. False admits any certificate. */
  readonly verify?: boolean | undefined;
}

export interface TurnUrl {
  /** IP literal or name. */
  readonly host: string;
  readonly port: number;
  readonly transport: ServerTransport;
}

const DEFAULT_PORT = { udp: 3478, tcp: 3478, tls: 5349 } as const;

/**
 * `turn:host[:port][?transport=udp|tcp]` or `turns:host[:port][?transport=tcp]`.
 * @throws WayleaveError `bad-option`; DTLS (`turns` over UDP) is not spoken here.
 */
export function parseTurnUrl(url: string): TurnUrl {
  const match =
    /^(turns?):(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::([0-9]{1,5}))?(?:\?transport=(udp|tcp))?$/.exec(
      url,
    );
  const host = match?.[2] ?? match?.[3];
  const transport = match?.[1] === 'turns' ? 'tls' : (match?.[5] ?? 'udp');
  const port = Number(match?.[4] ?? DEFAULT_PORT[transport as ServerTransport]);
  const dtls = match?.[1] === 'turns' && match[5] === 'udp';
  if (host === undefined || dtls || port < 1 || port > 65_535) {
    throw new WayleaveError(
      'bad-option',
      `${JSON.stringify(url.slice(0, 300))} is not a TURN URL that can be used`,
    );
  }
  return { host: canonicalIp(host) ?? host, port, transport: transport as ServerTransport };
}

export function formatTurnUrl({ host, port, transport }: TurnUrl): string {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return transport === 'tls' ? `turns:${at}?transport=tcp` : `turn:${at}?transport=${transport}`;
}

/**
 * The servers that a URL stands for. A name is looked up, so hand in only URLs that the user wrote or that
 * come from a server that the user named; an IP literal never touches DNS.
 * @throws WayleaveError `bad-option`, or `no-answer` when the name has no address.
 */
export async function resolveTurnServer(
  url: string,
  account: Pick<TurnServer, 'username' | 'credential' | 'tls' | 'challenge'>,
): Promise<TurnServer[]> {
  const { host, port, transport } = parseTurnUrl(url);
  const tls: TurnTls | undefined = transport === 'tls' ? { servername: host, ...account.tls } : undefined;
  const { username, credential, challenge } = account;
  const server = (endpoint: Endpoint): TurnServer => ({
    endpoint,
    transport,
    username,
    credential,
    tls,
    challenge,
  });
  const literal = toEndpoint(host, port);
  if (literal) return [server(literal)];
  try {
    const found = await lookup(host, { all: true });
    const servers = found
      .map(({ address }) => toEndpoint(address, port))
      .filter(endpoint => endpoint !== undefined);
    if (servers.length > 0) return servers.map(server);
  } catch (cause) {
    throw new WayleaveError('no-answer', `no address for the TURN server ${host}`, { cause });
  }
  throw new WayleaveError('no-answer', `no address for the TURN server ${host}`);
}
