// The embedded relay: a TURN server for UDP, TCP and TLS clients, with UDP and TCP allocations (RFC 8656,
// RFC 6062). `createRelay` wires the parts and owns them; it listens by itself, or is handed the traffic of
// ports that it shares with the STUN responder.
import { randomBytes } from 'node:crypto';
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { WayleaveError } from '../../src/errors.js';
import { type Clock, systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import type { StunMessage } from '../../src/stun/message.js';
import { answerTo } from '../stun/answers.js';
import { newCore, sweep } from './assemble.js';
import { endAllocation } from './core.js';
import type { RelayCounters } from './counters.js';
import { issue, MAX_CREDENTIAL_S, type RelayAccount } from './credentials.js';
import type { RelayLimits } from './limits.js';
import { listen, urlsOf } from './listeners.js';
import { relayMetrics } from './metrics.js';
import type { PortRange } from './relay-ports.js';
import { type AnswerBinding, TurnService } from './service.js';
import { StreamPort } from './stream-port.js';
import { UdpPort } from './udp-port.js';

export interface RelayOptions {
  /** Address or addresses to listen on and relay from, at most one of each family. */
  readonly host: string | readonly string[];
  /** Port for UDP and TCP; 0 for any. Default: 3478. */
  readonly port?: number;
  /** The addresses that clients are told, where a 1:1 NAT stands in front; by family. Default: the bound ones. */
  readonly publicHost?: string | readonly string[] | undefined;
  /** What the URLs call this host, such as the name in its certificate. Default: the public or bound address. */
  readonly name?: string | undefined;
  /** Ports to relay from, first and last. Default: 49152 to 65535. */
  readonly relayPorts?: PortRange;
  /** What credentials are made with; share it with whoever issues them too. Default: random for each process. */
  readonly secret?: string;
  /** Default: `wayleave`. Keep it short: it is part of every challenge (security.md, row 34). */
  readonly realm?: string;
  /**
   * With it, the TCP port speaks TLS too, and so does `port` here (443 passes most firewalls). PEM, or what is asked
   * for the certificate to show before each handshake.
   */
  readonly tls?:
    | ((OwnCertificate | { readonly context: () => SecureContext }) & { readonly port?: number })
    | undefined;
  /** Relay to private, shared and this machine's own addresses too. Default: false. */
  readonly allowPrivatePeers?: boolean;
  /** Relay to loopback too. Default: false. */
  readonly allowLoopbackPeers?: boolean;
  readonly limits?: Partial<RelayLimits>;
  /** False: no listeners, traffic is handed in by `datagrams` and `connection`. Default: true. */
  readonly listen?: boolean;
  /** Answers Binding requests that reach the relay. Default: the mapped address, nothing of RFC 5780. */
  readonly answerBinding?: AnswerBinding;
  readonly clock?: Clock;
}

interface OwnCertificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** What a client needs to use the relay. */
interface RelayGrant extends RelayAccount {
  readonly urls: readonly string[];
  /** The challenge that the relay would answer the client's first request with: spares it that round trip. */
  readonly challenge?: { readonly realm: string; readonly nonce: string };
}

export interface Relay extends AsyncDisposable {
  /** `turn:` and `turns:` URLs (RFC 7065). */
  readonly urls: readonly string[];
  readonly counters: Readonly<RelayCounters>;
  /** The same and more, for Prometheus. */
  metrics(): string;
  /**
   * Credentials for a client.
   * @param options.ttlS 1 to 3,600 seconds, default 3,600: no allocation begins later.
   * @param options.host the IP address that the client will come from; with it, the challenge is answered in advance.
   * @throws WayleaveError `bad-option`
   */
  grant(id: string, options?: { readonly ttlS?: number; readonly host?: string }): RelayGrant;
  /** For a UDP socket that is shared: what takes its datagrams, Binding requests or not. */
  datagrams(socket: UdpSocket): (bytes: Buffer, from: RemoteInfo) => void;
  /** Takes over a connection that is shared. What was read from it must have been put back (`unshift`). */
  connection(socket: Socket): void;
  /** Ends every allocation and closes everything. Idempotent, never rejects. */
  close(): Promise<void>;
}

/** @throws WayleaveError `listen-failed` or `bad-option` */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const clock = options.clock ?? systemClock;
  const secret = options.secret ?? randomBytes(32).toString('base64url');
  const scope = new Scope();
  const core = newCore(options, secret, clock);
  const service = new TurnService(core, options.answerBinding ?? mappedAddressOnly);
  const { tls } = options;
  const streams = new StreamPort(service, tls && ('context' in tls ? tls.context : ownContext(tls)));
  const datagrams = (socket: UdpSocket) => {
    const port = new UdpPort(socket, service);
    return (bytes: Buffer, from: RemoteInfo) => port.receive(bytes, from);
  };
  const connection = (socket: Socket) => streams.take(socket);
  let port = options.port ?? 3478;
  let tlsPort = tls?.port ?? port;
  try {
    if (options.listen ?? true) {
      const bound = await listen(scope, options.host, port, tls?.port, { datagrams, connection });
      port = bound.port;
      tlsPort = bound.tlsPort;
    }
  } catch (error) {
    await scope.close();
    throw error;
  }
  // Last acquired, first released: a listener is closed only when its connections are.
  scope.defer(() => {
    for (const session of [...core.sessions]) endAllocation(core, session);
    core.ports.close();
    streams.close();
  });
  void sweep(core, scope.signal);
  const urls = urlsOf(core, options.name, port, tls && tlsPort);
  return {
    urls,
    counters: core.counters,
    metrics: () => relayMetrics(core),
    grant: (id, { ttlS = MAX_CREDENTIAL_S, host } = {}) => ({
      urls,
      ...issue(secret, id, ttlS, clock.wall()),
      ...(host !== undefined && {
        challenge: { realm: core.realm, nonce: core.nonces.issue(host, true, clock.now()) },
      }),
    }),
    datagrams,
    connection,
    close: () => scope.close(),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

function ownContext({ cert, key }: OwnCertificate): () => SecureContext {
  try {
    const context = createSecureContext({ cert, key });
    return () => context;
  } catch (cause) {
    throw new WayleaveError('bad-option', `option tls: ${(cause as Error).message}`, { cause });
  }
}

const mappedAddressOnly: AnswerBinding = (message: StunMessage, from, transport) => {
  const here = { host: 0, port: 0 } as const;
  const answer = answerTo({ message, from, at: here, transport }, { hosts: [undefined], ports: [0, 0] });
  return answer && 'send' in answer ? answer.send : undefined;
};
