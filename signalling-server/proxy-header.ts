// Waits for the header of the PROXY protocol on a connection that a listed proxy has opened, and puts back what
// follows it: TLS or HTTP begins there.
import type { Socket } from 'node:net';
import { DecodeError } from '../src/errors.js';
import type { Endpoint } from '../src/net/endpoint.js';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-protocol.js';

/**
 * Calls one of the two, once, unless the connection closes before.
 * @param onHeader hears of the client, or undefined where the proxy speaks for itself
 */
export function awaitProxyHeader(
  connection: Socket,
  onHeader: (client: Endpoint | undefined) => void,
  onMalformed: () => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const onReadable = () => {
    const chunk: Buffer | null = connection.read();
    if (!chunk) return void connection.destroy(); // it has ended without a word
    bytes = Buffer.concat([bytes, chunk]);
    try {
      const header = readProxyHeader(bytes);
      if (!header && bytes.length <= MAX_PROXY_HEADER_BYTES) return;
      connection.off('readable', onReadable);
      if (!header) return onMalformed();
      const rest = bytes.subarray(header.length);
      if (rest.length > 0) connection.unshift(rest);
      onHeader(header.client);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      connection.off('readable', onReadable);
      onMalformed();
    }
  };
  connection.on('readable', onReadable);
}
