// A TCP or TLS connection to a TURN server (RFC 8656 section 3.1).
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { abortError, WayleaveError } from '../errors.js';
import { formatEndpoint } from '../net/endpoint.js';
import { canonicalIp } from '../net/ip-scope.js';
import { dialTcp } from '../net/sockets.js';
import type { TurnServer } from './turn-server.js';

/** Connects. @throws WayleaveError `dial-failed` or the signal's abort error. */
export async function openStream(server: TurnServer, signal?: AbortSignal | undefined): Promise<Socket> {
  const socket = await dialTcp({ remote: server.endpoint, signal });
  if (server.transport !== 'tls') return socket;
  const { servername = server.endpoint.host, ca, verify = true } = server.tls ?? {};
  socket.on('error', () => {}); // the TLS socket on top reports it
  const secure = tlsConnect({
    socket,
    host: servername, // what the certificate is checked against, address or name; SNI takes names only
    ...(canonicalIp(servername) === undefined ? { servername } : {}),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: verify,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: WayleaveError) => {
      signal?.removeEventListener('abort', onAbort);
      secure.off('close', onClose);
      secure.destroy();
      reject(error);
    };
    const refuse = (cause?: Error) => {
      const why = cause?.message ?? 'the connection was closed';
      const text = `no TLS with the TURN server ${formatEndpoint(server.endpoint)}: ${why}`;
      fail(new WayleaveError('dial-failed', text, { cause }));
    };
    const onAbort = () => fail(abortError(signal!));
    const onClose = () => refuse();
    secure.on('error', refuse); // stays as the listener of last resort; rejecting twice does nothing
    secure.once('close', onClose);
    secure.once('secureConnect', () => {
      signal?.removeEventListener('abort', onAbort);
      secure.off('close', onClose);
      secure.off('error', refuse);
      resolve(secure);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
