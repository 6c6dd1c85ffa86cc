// HTTP to the gateway and to nothing else: one request a connection, from our own address, no redirects, and
// never more than 64 KiB or 3 s, whatever the other side sends.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { abortError, DecodeError, WayleaveError } from '../errors.js';
import { dialTcp } from '../net/sockets.js';
import { gatewayHost } from './datagram-exchange.js';
import type { GatewayUrl } from './description-location.js';
import type { GatewayPath } from './mapping-protocol.js';

/** Descriptions of real gateways are 3 to 20 KiB long, SOAP answers below 2. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_HEAD_BYTES = 8 * 1024;
const TIME_LIMIT_MS = 3000;

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * @throws WayleaveError `dial-failed`, `timeout`, `no-answer` (broke off), DecodeError (place `http/…`), or the
 * signal's abort error.
 */
export async function requestHttp(
  { gateway, localAddress, clock }: GatewayPath,
  url: GatewayUrl,
  options: { method: 'GET' | 'POST'; headers?: Record<string, string>; body?: string },
  signal: AbortSignal,
): Promise<HttpAnswer> {
  using deadline = clock.deadline(TIME_LIMIT_MS, signal);
  const socket = await dialTcp({
    remote: { host: gatewayHost(gateway), port: url.port },
    localAddress,
    signal: deadline.signal,
  });
  socket.on('error', () => {}); // told by the request as long as it runs
  const onAbort = () => socket.destroy();
  deadline.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const outgoing = request({
      createConnection: () => socket,
      method: options.method,
      path: url.path,
      maxHeaderSize: MAX_HEAD_BYTES,
      headers: {
        Host: `${url.host}:${url.port}`,
        Connection: 'close',
        'User-Agent': 'wayleave UPnP/1.1',
        ...options.headers,
        ...(options.body === undefined ? {} : { 'Content-Length': Buffer.byteLength(options.body) }),
      },
    });
    return await answerOf(outgoing, options.body);
  } catch (error) {
    if (deadline.signal.aborted) throw abortError(deadline.signal);
    if (error instanceof WayleaveError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('HPE_')) throw new DecodeError('http/head', message);
    throw new WayleaveError('no-answer', `the gateway broke off: ${message}`, { cause: error });
  } finally {
    deadline.signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function answerOf(outgoing: ClientRequest, body: string | undefined): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const tooLong = () => {
        reject(new DecodeError('http/body', `more than ${MAX_BODY_BYTES} bytes`));
        response.destroy();
      };
      response.on('error', reject);
      if (Number(response.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLong();
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BODY_BYTES) return tooLong();
        chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    outgoing.end(body);
  });
}
