// The other process of the pipe benchmarks: serves every kind of connection on a port of its own, and tells the
// first process (over IPC) the ports, its identity, and its memory when asked.
import { createIdentity } from '../src/identity/keys.js';
import { restingMemory, servePipes, serveTls } from './pipe-peers.js';

export interface FarPorts {
  readonly id: string;
  readonly pipeEcho: number;
  readonly pipeSink: number;
  readonly tlsEcho: number;
  readonly tlsSink: number;
}

const identity = createIdentity();

/** The first message says how many bytes will come; the answer says that they are all here. */
function sink(answer: () => void): (chunk: Buffer) => void {
  let left = -1;
  return chunk => {
    if (left < 0) left = Number(chunk.toString());
    else if ((left -= chunk.length) === 0) {
      left = -1;
      answer();
    }
  };
}

const ports: FarPorts = {
  id: identity.id,
  pipeEcho: await servePipes(identity, pipe => {
    pipe.onMessage(message => pipe.send(message));
  }),
  pipeSink: await servePipes(identity, pipe => {
    pipe.onMessage(sink(() => void pipe.send('done')));
  }),
  tlsEcho: await serveTls(identity, socket => {
    socket.on('data', chunk => socket.write(chunk));
  }),
  tlsSink: await serveTls(identity, socket => {
    let left = -1;
    socket.on('data', (chunk: Buffer) => {
      if (left < 0) {
        left = chunk.readDoubleBE(0);
        chunk = chunk.subarray(8);
      }
      if ((left -= chunk.length) === 0) {
        left = -1;
        socket.write('done');
      }
    });
  }),
};
process.send!(ports);
process.on('message', message => {
  if (message === 'memory') process.send!(restingMemory());
});
