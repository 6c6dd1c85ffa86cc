// What an arrival says first: plain HTTP is answered, a WebSocket becomes a visitor with a little time to register.
// Behind a listed proxy its request tells who it is, and only then is it counted for its source.
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MAX_CLIENT_FRAME_BYTES } from '../src/signalling/frames.js';
import { type ClientAddress, clientAddress } from './client-address.js';
import { type Arrival, Gate, type House } from './gate.js';
import { answerHttp, type HttpView } from './http.js';
import type { ResolvedServerOptions } from './options.js';

/** How long the close handshake of a WebSocket may take. */
const CLOSE_WITHIN_MS = 2_000;

const WEB_SOCKETS = {
  noServer: true,
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: MAX_CLIENT_FRAME_BYTES,
  maxFragments: 16,
  maxBufferedChunks: 1024,
  maxPendingAutoPongs: 2,
  closeTimeout: CLOSE_WITHIN_MS,
};

/** A WebSocket whose client is not yet known. */
export interface Visitor {
  readonly socket: WebSocket;
  readonly stream: Duplex;
  readonly seenAs: ClientAddress;
  /** The Host header of its request. */
  readonly host: string;
  /** It is closed unless it has registered in this time from now. */
  within(ms: number): void;
  /** Called once it has registered: its time is no longer limited. */
  stay(): void;
}

type Refusal = readonly [status: number, words: string];
const TOO_MANY: Refusal = [429, 'Too Many Requests'];
const CLOSING: Refusal = [503, 'Service Unavailable'];
const WHO_ARE_YOU: Refusal = [400, 'Bad Request'];

export class FrontDoor {
  readonly gate: Gate;
  readonly #http: HttpServer;
  readonly #house: House;
  readonly #onVisitor: (visitor: Visitor) => void;
  readonly #arrivals = new WeakMap<Duplex, Arrival>();
  readonly #webSockets = new WebSocketServer(WEB_SOCKETS);

  constructor(
    options: ResolvedServerOptions,
    house: House,
    view: HttpView,
    onVisitor: (visitor: Visitor) => void,
  ) {
    this.#house = house;
    this.#onVisitor = onVisitor;
    // never listens, so that its own time limits never run: the gate's do
    this.#http = createServer({ maxHeaderSize: 8192 });
    this.#http.maxRequestsPerSocket = 1;
    this.#http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head));
    this.#http.on('request', (request, response) => {
      const arrival = this.#arrivals.get(request.socket)!;
      const { requestWithinMs, registerWithinMs, metricsFrom } = options;
      this.gate.limit(arrival.connection, Math.max(100, requestWithinMs - registerWithinMs));
      const client = this.#clientOf(arrival, request);
      if ('refusal' in client) {
        const [status, words] = client.refusal;
        response.writeHead(status, { connection: 'close' }).end(`${words}\n`);
      } else {
        const visit = { request, response, from: client.host };
        answerHttp(visit, view, metricsFrom).catch(() => request.socket.destroy());
      }
    });
    this.#http.on('clientError', (error: NodeJS.ErrnoException, stream) => this.#garbled(error, stream));
    this.gate = new Gate(options, house, arrival => {
      this.#arrivals.set(arrival.socket, arrival);
      this.#http.emit('connection', arrival.socket);
    });
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => {}); // its close is enough
    const arrival = this.#arrivals.get(request.socket)!;
    if (stream.destroyed) return;
    const client = this.gate.isDraining ? { refusal: CLOSING } : this.#clientOf(arrival, request);
    if ('refusal' in client) return void refuse(stream, client.refusal);
    this.#webSockets.handleUpgrade(request, stream, head, socket => {
      this.#onVisitor({
        socket,
        stream,
        seenAs: client,
        host: request.headers.host ?? '',
        within: ms => this.gate.limit(arrival.connection, ms),
        stay: () => this.gate.lift(arrival.connection),
      });
    });
  }

  /** Who makes this request, or why it is turned down. */
  #clientOf(arrival: Arrival, request: IncomingMessage): ClientAddress | { readonly refusal: Refusal } {
    const { cut } = this.#house.counts;
    const { gate } = this;
    if (arrival.oneTooMany) {
      cut['too-many-connections']++;
      return { refusal: TOO_MANY };
    }
    const { from } = arrival;
    if (!gate.trusts(from.host)) return from;
    const header = request.headers['x-forwarded-for'];
    const client = clientAddress(from, Array.isArray(header) ? header.join() : header, gate.trusts);
    if (!client) {
      cut['proxy-unclear']++;
      return { refusal: WHO_ARE_YOU };
    }
    if (gate.trusts(client.host)) return client; // a proxy on its own behalf
    const why = gate.enter(arrival.connection, client);
    if (why) cut[why === 'banned' ? 'banned' : 'too-many-connections']++;
    return why ? { refusal: TOO_MANY } : client;
  }

  /** What is no HTTP. A connection that merely broke is nobody's fault. */
  #garbled(error: NodeJS.ErrnoException, stream: Duplex): void {
    const arrival = this.#arrivals.get(stream);
    if (arrival && error.code?.startsWith('HPE_')) this.gate.end(arrival.connection, 'protocol-error');
    else stream.destroy();
  }
}

function refuse(stream: Duplex, [status, words]: Refusal): void {
  const head = `HTTP/1.1 ${status} ${words}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  stream.end(head, () => stream.destroy());
}
