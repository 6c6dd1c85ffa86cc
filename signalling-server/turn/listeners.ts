// The relay's own ports, where it does not share those of the STUN responder, and the URLs for them.
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { WayleaveError } from '../../src/errors.js';
import { familyOf } from '../../src/net/ip-scope.js';
import type { Scope } from '../../src/net/scope.js';
import { bindUdp, listenTcp } from '../../src/net/sockets.js';
import type { RelayCore } from './core.js';

/** Datagrams of all clients wait in one queue while the process is busy. */
const RECEIVE_BUFFER_BYTES = 1 << 22;

export interface Traffic {
  datagrams(socket: UdpSocket): (bytes: Buffer, from: RemoteInfo) => void;
  connection(socket: Socket): void;
}

/** Listens on one port for UDP and TCP, on every host, and for TLS on another if there is one. */
export async function listen(
  owner: Scope,
  host: string | readonly string[],
  port: number,
  tlsPort: number | undefined,
  traffic: Traffic,
): Promise<{ port: number; tlsPort: number }> {
  const hosts = typeof host === 'string' ? [host] : host;
  // Port 0 asks the system for one, until TCP and UDP have the same.
  for (let tries = port === 0 ? 10 : 1; ; tries--) {
    const scope = owner.child();
    try {
      let common = port;
      let secure = tlsPort;
      for (const each of hosts) {
        common = await listenStreams(scope, each, common, traffic);
        await listenDatagrams(scope, each, common, traffic);
        if (secure !== undefined && secure !== port)
          secure = await listenStreams(scope, each, secure, traffic);
      }
      return { port: common, tlsPort: secure === undefined || secure === port ? common : secure };
    } catch (error) {
      await scope.close();
      const taken = error instanceof WayleaveError && error.code === 'listen-failed';
      if (tries <= 1 || !taken) throw error;
    }
  }
}

async function listenStreams(scope: Scope, host: string, port: number, traffic: Traffic): Promise<number> {
  const ipv6Only = familyOf(host) === 6;
  const listener = scope.use(await listenTcp({ host, port, ipv6Only }, socket => traffic.connection(socket)));
  return listener.port;
}

async function listenDatagrams(scope: Scope, host: string, port: number, traffic: Traffic): Promise<void> {
  const socket = await bindUdp({ family: familyOf(host), address: host, port });
  scope.defer(() => new Promise<void>(resolve => socket.close(() => resolve())));
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // The system's limit is smaller: then that is what there is.
  }
  socket.on('message', traffic.datagrams(socket));
}

/** The URLs of a relay on these ports: one for each way in, by name if it has one. */
export function urlsOf(
  core: RelayCore,
  name: string | undefined,
  port: number,
  tlsPort: number | undefined,
): string[] {
  const hosts = name === undefined ? [...core.hosts.values()].map(({ announced }) => announced) : [name];
  return hosts.flatMap(host => {
    const at = host.includes(':') ? `[${host}]` : host;
    const urls = [`turn:${at}:${port}?transport=udp`, `turn:${at}:${port}?transport=tcp`];
    return tlsPort === undefined ? urls : [...urls, `turns:${at}:${tlsPort}?transport=tcp`];
  });
}
