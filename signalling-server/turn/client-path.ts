// The way back to a client, whatever it came by.
import type { Endpoint } from '../../src/net/endpoint.js';

export interface ClientPath {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly remote: Endpoint;
  /** Responses and ConnectionAttempts. A client that never reads them is cut off. */
  send(bytes: Buffer): void;
  /** What peers sent: dropped when the client does not keep up. */
  sendData(bytes: Buffer): void;
}
