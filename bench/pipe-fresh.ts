// A process that does one thing and reports it over IPC: how long the package takes to import, a node to start and
// the first connect of a process; or the memory of many connections held open. Arguments: what, kind, where, count.
import { once } from 'node:events';

const [what, kind, where, count] = process.argv.slice(2);

const importedFrom = performance.now();
const { createNode } = await import('../src/index.js');
const importMs = performance.now() - importedFrom;
const { createIdentity } = await import('../src/identity/keys.js');
const { framed, openPipe, openTls, restingMemory } = await import('./pipe-peers.js');

const identity = createIdentity();
const startedFrom = performance.now();
const node = kind === 'pipe' ? await createNode({ servers: [], host: '127.0.0.1' }) : undefined;
const createMs = performance.now() - startedFrom;

async function connect(): Promise<unknown> {
  if (node) {
    const pipe = await openPipe(node, where!);
    await pipe.send('x');
    await pipe.recv();
    return pipe;
  }
  const socket = await openTls(identity, Number(where));
  socket.write(framed(Buffer.from('x')));
  await once(socket, 'data');
  return socket;
}

if (what === 'cold') {
  const connectFrom = performance.now();
  await connect();
  process.send!({ importMs, createMs, connectMs: performance.now() - connectFrom });
} else {
  const held: unknown[] = [];
  for (let i = 0; i < 20; i++) held.push(await connect()); // what exists once a process is not counted
  process.send!('warm');
  await once(process, 'message');
  const before = restingMemory();
  for (let i = 0; i < Number(count); i++) held.push(await connect());
  process.send!(restingMemory() - before);
  await once(process, 'message');
}
process.exit(0);
