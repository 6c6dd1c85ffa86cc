// A node inside a world that leaves its pipes idle: `node idle-node.js SERVER HEARTBEAT_MS DEAD_MS [ADDRESS STRATEGY]`.
// With an address it connects; each line of standard input is then sent, and what comes back is printed.
import { createInterface } from 'node:readline';
import { createNode, type Pipe, type StrategyName } from '../../../src/index.js';

const [server = '', heartbeatMs = '', deadMs = '', address, strategy] = process.argv.slice(2);
const node = await createNode({
  servers: [server],
  portMapping: false,
  heartbeatMs: Number(heartbeatMs),
  deadMs: Number(deadMs),
});
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

async function tellEnd(pipe: Pipe): Promise<void> {
  const { code, message } = await pipe.closed;
  tell({ event: 'closed', code, message });
}

if (address === undefined) {
  node.onMessage((message, _, pipe) => void pipe.send(message).catch(() => {}));
  node.onPipe(pipe => void tellEnd(pipe));
  await node.ready({ timeoutMs: 60_000 });
  tell({ event: 'listening', address: node.address.toString() });
} else {
  await node.ready({ timeoutMs: 60_000 });
  const pipe = await node.connect(address, { strategies: [strategy as StrategyName] });
  pipe.onMessage(message => tell({ event: 'echoed', data: message.toString() }));
  void tellEnd(pipe);
  tell({ event: 'connected', strategy: pipe.route.strategy });
  createInterface({ input: process.stdin }).on('line', line => void pipe.send(line).catch(() => {}));
}
