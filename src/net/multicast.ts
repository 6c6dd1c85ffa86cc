// Sockets that hear multicast on one interface, and share their well-known port with whoever else does.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { WayleaveError } from '../errors.js';
import type { Family } from './ip-scope.js';

/**
 * A UDP socket on a shared port, member of `group` on the interface named: by its IPv4 address, or for IPv6
 * by a zone like `::%eth0`. The caller owns it and closes it.
 * @throws WayleaveError `listen-failed`.
 */
export async function bindMulticast(options: {
  family: Family;
  port: number;
  group: string;
  interfaceAddress: string;
}): Promise<UdpSocket> {
  const { family, port, group, interfaceAddress } = options;
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    reuseAddr: true,
  });
  try {
    socket.bind({ port });
    await once(socket, 'listening');
    socket.addMembership(group, interfaceAddress);
  } catch (cause) {
    socket.close();
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new WayleaveError('listen-failed', `cannot hear ${group}, UDP port ${port}: ${code}`, { cause });
  }
  socket.on('error', () => {});
  return socket;
}
