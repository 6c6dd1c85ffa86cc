// TLS over a connection that is already there, for servers that are known by their certificates (a relay, a broker).
// Nodes prove themselves to each other in another way: pipe/handshake.ts.
import { isIP, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { abortError, WayleaveError } from '../errors.js';

export interface TlsClientOptions {
  /** The name, or IP address, that the server's certificate must bear. */
  readonly name: string;
  /** PEM: who may have signed it. Default: whom Node.js trusts, and NODE_EXTRA_CA_CERTS. */
  readonly ca?: string | undefined;
  readonly alpn?: readonly string[];
  /** For messages: whom this connection is with. */
  readonly where: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the socket over, whatever happens.
 * @throws WayleaveError `dial-failed` (cause: the TLS error), or the signal's abort error.
 */
export function secureClient(socket: Socket, options: TlsClientOptions): Promise<TLSSocket> {
  const { name, ca, alpn, where, signal } = options;
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      socket,
      host: name,
      ...(isIP(name) === 0 && { servername: name }), // RFC 6066, section 3: names only
      ...(alpn && { ALPNProtocols: [...alpn] }),
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
    });
    const settle = () => {
      signal?.removeEventListener('abort', onAbort);
      secure.off('error', onError).off('close', onClose).off('secureConnect', onSecure);
    };
    const fail = (error: Error) => {
      settle();
      secure.on('error', () => {}); // a destroyed socket may still report how the handshake ended
      secure.destroy();
      socket.destroy();
      reject(error);
    };
    const onError = (cause: Error) =>
      fail(new WayleaveError('dial-failed', `no TLS with ${where}: ${cause.message}`, { cause }));
    const onClose = () => onError(new Error('the connection was closed'));
    const onAbort = () => fail(abortError(signal!));
    const onSecure = () => {
      settle();
      resolve(secure);
    };
    secure.on('error', onError).on('close', onClose).on('secureConnect', onSecure);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
