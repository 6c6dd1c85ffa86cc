// Ports for programs that are told which to take. Below those that kernels hand out (Linux: from 32768), so that no
// other test is given one between the look and the program's start.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const [FIRST, LAST] = [20_000, 32_000];

/** The first of `count` neighbouring ports that are free, for TCP and UDP, at each of these hosts. */
export async function freePort(count = 1, hosts: readonly string[] = ['127.0.0.1']): Promise<number> {
  for (;;) {
    const first = FIRST + Math.floor(Math.random() * (LAST - FIRST - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(ports.flatMap(port => hosts.map(host => isFree(port, host))));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  const socket = createSocket('udp4');
  try {
    await once(server.listen(port, host), 'listening');
    socket.bind(port, host);
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
    socket.close();
  }
}
