// The host outside, as a process inside a world: dials where it is told to, and tells whether that worked.
// What the server does for nodes that want their mapping proved.

import { systemClock } from '../../../src/net/clock.js';
import { dialTcp, listenTcp } from '../../../src/net/sockets.js';

await listenTcp({ port: 7000 }, socket => {
  socket.on('error', () => {});
  socket.once('data', async (data: Buffer) => {
    const [host = '', port] = data.toString().trim().split(' ');
    using deadline = systemClock.deadline(2000);
    try {
      const back = await dialTcp({ remote: { host, port: Number(port) }, signal: deadline.signal });
      back.destroy();
      socket.end('reached');
    } catch {
      socket.end('not reached');
    }
  });
});
process.stdout.write('{"event":"listening"}\n');
