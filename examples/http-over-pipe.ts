// HTTP over a pipe: a plain node:http server that is reached through pipes instead of a TCP port, and a plain
// http.request that goes through one. `pipe.toDuplex()` is all that either of them needs.
//
//   node dist/examples/http-over-pipe.js                     serves, and prints an address
//   node dist/examples/http-over-pipe.js ADDRESS [PATH]      requests PATH (default /) and prints the response
//
// To be reached from other networks, set WAYLEAVE_SERVERS on both sides. For programs that you cannot change there is
// `wayleave forward`.
import { createServer, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { createNode, type NodeId } from '../src/index.js';

const [address, path = '/'] = process.argv.slice(2);
const node = await createNode({ servers: process.env.WAYLEAVE_SERVERS?.split(',') ?? [] });

if (address === undefined) {
  const askedBy = new WeakMap<Duplex, NodeId>();
  const http = createServer((incoming, response) => {
    // who asks is proved by the pipe: no password, no certificate of anybody else's
    const peer = askedBy.get(incoming.socket);
    response.setHeader('content-type', 'text/plain');
    response.end(`Hello ${peer?.slice(0, 8)}…, you asked for ${incoming.url}\n`);
  });
  node.onPipe(pipe => {
    const stream = pipe.toDuplex();
    stream.on('error', error => console.error(error.message));
    askedBy.set(stream, pipe.peer);
    http.emit('connection', stream); // as if it were a TCP connection
  });
  await node.ready();
  console.log(node.address.toString());
} else {
  const pipe = await node.connect(address);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const createConnection = () => pipe.toDuplex();
    request({ createConnection, path, host: 'the-other-node' }, resolve).on('error', reject).end();
  });
  console.log(`${response.statusCode} ${response.statusMessage}`);
  for await (const chunk of response) process.stdout.write(chunk);
  await pipe.close();
  await node.close();
}
