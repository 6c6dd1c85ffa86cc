// The listening socket and all that may happen before a client is registered: counted by source, timed, refused
// where it is too much. Whoever trickles, stalls or says nothing is gone when its time is up.
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerOptions,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { WayleaveError } from '../src/errors.js';
import type { Clock } from '../src/net/clock.js';
import { unmappedIp } from '../src/net/ip-scope.js';
import { MAX_CLIENT_FRAME_BYTES } from '../src/signalling/frames.js';
import type { Counts } from './counts.js';
import { answerHttp, type HttpView } from './http.js';
import { ConnectionCount, sourceOf } from './limits.js';
import type { ResolvedServerOptions } from './options.js';

/** How long the close handshake of a WebSocket may take. */
const CLOSE_WITHIN_MS = 2_000;

/** A WebSocket whose client is not yet known. */
export interface Visitor {
  readonly socket: WebSocket;
  readonly stream: Duplex;
  readonly seenAs: { readonly host: string; readonly port: number };
  /** The Host header of its request. */
  readonly host: string;
  /** From now on it has so long to register. */
  within(ms: number): void;
  /** Called once it has registered: its time is no longer limited. */
  stay(): void;
}

export class FrontDoor {
  readonly server: HttpServer;
  readonly #options: ResolvedServerOptions;
  readonly #counts: Counts;
  readonly #clock: Clock;
  readonly #bySource = new ConnectionCount();
  readonly #sockets = new Set<Socket>();
  /** Time limits of connections that are neither registered nor closed. */
  readonly #limits = new Map<Duplex, Disposable>();
  readonly #webSockets: WebSocketServer;
  #shut = false;

  constructor(
    options: ResolvedServerOptions,
    counts: Counts,
    clock: Clock,
    view: HttpView,
    onVisitor: (visitor: Visitor) => void,
  ) {
    this.#options = options;
    this.#counts = counts;
    this.#clock = clock;
    const { tls, registerWithinMs, requestWithinMs, maxConnections, metricsFrom } = options;
    const common = {
      noDelay: true,
      keepAlive: false,
      maxHeaderSize: 8192,
      headersTimeout: registerWithinMs,
      requestTimeout: requestWithinMs,
    };
    this.server = createWebServer(common, options);
    this.server.maxConnections = maxConnections;
    this.server.maxRequestsPerSocket = 1;
    const settings = {
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: MAX_CLIENT_FRAME_BYTES,
      maxFragments: 16,
      maxBufferedChunks: 1024,
      maxPendingAutoPongs: 2,
      closeTimeout: CLOSE_WITHIN_MS,
    };
    this.#webSockets = new WebSocketServer(settings);
    this.server.on('connection', socket => this.#opened(socket));
    if (tls) this.server.on('secureConnection', (socket: Socket) => this.#limit(socket, registerWithinMs));
    this.server.on('upgrade', (request, stream, head) => {
      stream.on('error', () => {}); // its close is enough
      if (request.socket.remoteAddress === undefined) {
        stream.destroy(); // gone already; and where it came from is part of every delivery
        return;
      }
      const refusal = this.#whyRefused(request.socket);
      if (refusal) {
        refuse(stream, refusal);
        return;
      }
      this.#webSockets.handleUpgrade(request, stream, head, socket => {
        onVisitor(this.#visitor(socket, stream, request));
      });
    });
    this.server.on('request', (request, response) => {
      this.#limit(request.socket, Math.max(100, requestWithinMs - registerWithinMs));
      if (this.#tooMany(request.socket)) {
        response.writeHead(429, { connection: 'close' }).end('too many connections from your address\n');
        return;
      }
      answerHttp(request, response, view, metricsFrom).catch(() => request.socket.destroy());
    });
    this.server.on('clientError', (_, socket) => socket.destroy());
    this.server.on('tlsClientError', (_, socket) => socket.destroy());
    this.server.on('error', () => {}); // out of files: that connection is lost, not the server
  }

  get socketCount(): number {
    return this.#sockets.size;
  }

  /** No more connections; those that have not registered are closed. Resolves when the last one has ended. */
  shut(): Promise<void> {
    this.#shut = true;
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()));
    for (const stream of [...this.#limits.keys()]) stream.destroy();
    return closed;
  }

  /** Ends what is left. */
  destroy(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  #opened(socket: Socket): void {
    this.#counts.connections++;
    const source = sourceOf(unmappedIp(socket.remoteAddress ?? ''));
    const count = this.#bySource.enter(source);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#bySource.leave(source);
      this.#sockets.delete(socket);
    });
    // One over the limit is told so, in HTTP; a crowd is not worth the words
    if (this.#shut || count > 2 * this.#options.connectionsPerIp) this.#reject(socket);
    else if (!this.#options.tls) this.#limit(socket, this.#options.registerWithinMs);
  }

  #reject(socket: Socket): void {
    this.#counts.cut['too-many-connections']++;
    socket.destroy();
  }

  #tooMany(socket: Socket): boolean {
    const source = sourceOf(unmappedIp(socket.remoteAddress ?? ''));
    const tooMany = this.#bySource.of(source) > this.#options.connectionsPerIp;
    if (tooMany) this.#counts.cut['too-many-connections']++;
    return tooMany;
  }

  #whyRefused(socket: Socket): string | undefined {
    if (this.#shut) return '503 Service Unavailable';
    return this.#tooMany(socket) ? '429 Too Many Requests' : undefined;
  }

  /** (Re)starts the time limit of a connection. */
  #limit(stream: Duplex, ms: number): void {
    const former = this.#limits.get(stream);
    if (former) former[Symbol.dispose]();
    else stream.once('close', () => this.#unlimit(stream));
    const deadline = this.#clock.deadline(ms);
    this.#limits.set(stream, deadline);
    const onTimeUp = () => {
      this.#counts.cut['not-registered-in-time']++;
      stream.destroy();
    };
    deadline.signal.addEventListener('abort', onTimeUp, { once: true });
  }

  #unlimit(stream: Duplex): void {
    this.#limits.get(stream)?.[Symbol.dispose]();
    this.#limits.delete(stream);
  }

  #visitor(socket: WebSocket, stream: Duplex, request: IncomingMessage): Visitor {
    const { remoteAddress = '', remotePort = 0 } = request.socket;
    return {
      socket,
      stream,
      seenAs: { host: unmappedIp(remoteAddress), port: remotePort },
      host: request.headers.host ?? '',
      within: ms => this.#limit(stream, ms),
      stay: () => this.#unlimit(stream),
    };
  }
}

/** @throws WayleaveError `bad-option` when certificate or key are not usable. */
function createWebServer(
  common: ServerOptions,
  { tls, registerWithinMs }: ResolvedServerOptions,
): HttpServer {
  if (!tls) return createHttpServer(common);
  try {
    const secure = { ...tls, minVersion: 'TLSv1.2', handshakeTimeout: registerWithinMs } as const;
    return createHttpsServer({ ...common, ...secure });
  } catch (cause) {
    throw new WayleaveError('bad-option', `option tls: ${(cause as Error).message}`, { cause });
  }
}

function refuse(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => stream.destroy());
}
