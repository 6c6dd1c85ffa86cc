// A node that answers every message with what its process holds: `node callee.js SERVER`. The first message asks for the
// state to return to.
import { type Held, heldAtRest } from './held.js';

const { createNode } = await import('../../../src/index.js');
const [server = ''] = process.argv.slice(2);
const node = await createNode({
  servers: [server],
  portMapping: false,
  dialRequestsPerPeer: 1000,
  dialRequestsPerNode: 10_000,
});
await node.ready();
let before: Held | undefined;
node.onMessage(async (_message, _client, pipe) => {
  const now = await heldAtRest(before);
  before ??= now;
  await pipe.send(JSON.stringify(now));
});
process.stdout.write(`${JSON.stringify({ event: 'listening', address: node.address.toString() })}\n`);
