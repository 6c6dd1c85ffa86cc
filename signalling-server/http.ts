// The plain HTTP side: /healthz (the process lives), /readyz (it takes clients), /metrics. One exchange a
// connection; everything else is told where it is.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ipScope, unmappedIp } from '../src/net/ip-scope.js';
import { EXPOSITION_CONTENT_TYPE } from './exposition.js';
import type { ResolvedServerOptions } from './options.js';

export interface HttpView {
  isReady(): boolean;
  metrics(): string;
}

/** One request of somebody at this address. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly from: string;
}

/**
 * Who may see /metrics by default: those who are on the machine or in its private networks. Not through a proxy that
 * is not listed: it would make everybody look near.
 */
function mayReadMetrics(who: ResolvedServerOptions['metricsFrom'], { request, from }: Visit): boolean {
  if (who !== 'private') return who === 'everyone';
  const { socket, headers } = request;
  const direct = from === unmappedIp(socket.remoteAddress ?? '');
  if (direct && (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined)) return false;
  const scope = ipScope(from);
  const near = scope === 'loopback' || scope === 'private' || scope === 'link-local';
  return near || from === unmappedIp(socket.localAddress ?? '');
}

export async function answerHttp(
  visit: Visit,
  view: HttpView,
  metricsFrom: ResolvedServerOptions['metricsFrom'],
): Promise<void> {
  const { request, response } = visit;
  const reply = (status: number, text: string, contentType = 'text/plain; charset=utf-8') => {
    response.writeHead(status, {
      'content-type': contentType,
      connection: 'close',
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  request.resume(); // a body is not wanted, but must not stand in the way
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    reply(405, 'only GET\n');
    return;
  }
  switch (request.url?.split('?')[0]) {
    case '/healthz':
      reply(200, 'ok\n');
      return;
    case '/readyz':
      if (view.isReady()) reply(200, 'ready\n');
      else reply(503, 'not ready\n');
      return;
    case '/metrics': {
      if (!mayReadMetrics(metricsFrom, visit)) {
        reply(403, 'metrics are not for you\n');
        return;
      }
      reply(200, view.metrics(), EXPOSITION_CONTENT_TYPE);
      return;
    }
    case '/':
      reply(426, 'This is a wayleave signalling server: nodes speak WebSocket here.\n');
      return;
    default:
      reply(404, 'not found\n');
  }
}
