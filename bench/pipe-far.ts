// The other process of the pipe benchmarks: serves every kind of connection, and tells the first process
// (over IPC) where, and its memory when asked.
import { createIdentity } from '../src/identity/keys.js';
import { offlineNode, restingMemory, serveTls, sink } from './pipe-peers.js';

export interface FarPorts {
  /** Addresses of nodes. */
  readonly pipeEcho: string;
  readonly pipeSink: string;
  /** Ports. */
  readonly tlsEcho: number;
  readonly tlsSink: number;
}

const identity = createIdentity();

const echo = await offlineNode({ identity });
echo.onMessage((message, _client, pipe) => pipe.send(message));
const sinks = await offlineNode();
sinks.onPipe(pipe => void pipe.onMessage(sink(() => void pipe.send('done'))));

const ports: FarPorts = {
  pipeEcho: echo.address.toString(),
  pipeSink: sinks.address.toString(),
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
