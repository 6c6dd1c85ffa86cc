// A process that does one thing and reports it over IPC: the first connect of its life, or the memory of many
// connections held open. Arguments: what, kind, the far side's id and port, count.
import { once } from 'node:events';
import { createIdentity } from '../src/identity/keys.js';
import { framed, openPipe, openTls, restingMemory } from './pipe-peers.js';

const [what, kind, id, port, count] = process.argv.slice(2);
const identity = createIdentity();

const connect = {
  async pipe() {
    const pipe = await openPipe(identity, Number(port), id!);
    await pipe.send('x');
    await pipe.recv();
    return pipe;
  },
  async tls() {
    const socket = await openTls(identity, Number(port));
    socket.write(framed(Buffer.from('x')));
    await once(socket, 'data');
    return socket;
  },
}[kind as 'pipe' | 'tls'];

if (what === 'cold') {
  const startedAt = performance.now();
  await connect();
  process.send!(performance.now() - startedAt);
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
