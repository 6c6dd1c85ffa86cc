// How a WebSocket gets its connection (the `createConnection` of node:http): by TCP that dials again where a SYN was lost,
// and TLS over it where the URL asks for that.
import type { createConnection, NetConnectOpts, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { canonicalIp } from '../net/ip-scope.js';
import { redial } from '../net/redial.js';

type Options = NetConnectOpts & ConnectionOptions & { host: string };
type Created = (error: Error | null, socket?: Socket) => void;

/** @param life once it ends, a connection that is still being made is called off. */
export function serverDialler(url: string, life: AbortSignal): typeof createConnection {
  const secure = new URL(url).protocol === 'wss:';
  const dial = (asked: Options, created: Created) => {
    const options = { ...asked, path: undefined, noDelay: true }; // a path would be a Unix socket's
    const stop = redial(options as unknown as NetConnectOpts, (error, socket) => {
      life.removeEventListener('abort', stop);
      const servername = canonicalIp(asked.host) === undefined ? asked.host : '';
      created(error, socket && secure ? connectTls({ ...options, socket, servername }) : socket);
    });
    life.addEventListener('abort', stop, { once: true });
  };
  return dial as unknown as typeof createConnection; // node:http hands in a callback, which the types do not say
}
