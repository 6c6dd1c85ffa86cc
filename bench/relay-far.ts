// The other process of the relay benchmark: a node at each signalling server that the arguments name, which takes in
// what it is sent and says when all of it is here.
import { createNode } from '../src/node.js';
import { sink } from './pipe-peers.js';

const addresses: string[] = [];
for (const server of process.argv.slice(2)) {
  const node = await createNode({ servers: [server], host: '127.0.0.1', portMapping: false });
  node.onPipe(pipe => void pipe.onMessage(sink(() => void pipe.send('done'))));
  await node.ready();
  addresses.push(node.address.toString());
}
process.send!(addresses);
