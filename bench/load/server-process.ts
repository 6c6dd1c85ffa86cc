// The process that subject.ts starts: serves, and answers every message from its parent with what it has used.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { createServer } from '../../signalling-server/index.js';
import type { Order, Usage } from './subject.js';

process.on('message', ({ collect }: { collect: boolean }) => {
  if (collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  process.send!({ cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed } satisfies Usage);
});
process.on('disconnect', () => process.exit());
process.send!(await serve(JSON.parse(process.argv[2]!)));

async function serve(order: Order): Promise<string> {
  if (order.kind === 'routed') return (await createServer(order.options)).listening.signalling;
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  server.on('connection', socket => {
    socket.on('error', () => {});
    socket.on('message', data => socket.send(data.toString()));
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
