// Echo: the smallest pair of programs that talk over a pipe. Every message comes back as it went.
//
//   node dist/examples/echo.js                     prints an address, and sends every message back
//   node dist/examples/echo.js ADDRESS hello       connects, sends, prints the answer
//
// Between machines that cannot dial each other, set WAYLEAVE_SERVERS to the URL of a `wayleave server` on both.
import { createNode } from '../src/index.js';

const [address, text = 'hello'] = process.argv.slice(2);
const servers = process.env.WAYLEAVE_SERVERS?.split(',') ?? [];
const node = await createNode({ servers });

if (address === undefined) {
  node.onMessage((message, _client, pipe) => pipe.send(message));
  await node.ready();
  console.log(node.address.toString());
} else {
  const pipe = await node.connect(address);
  await pipe.send(text);
  const answer = await pipe.recv({ timeoutMs: 5000 });
  console.log(`${answer} (by ${pipe.route.strategy})`);
  await pipe.close();
  await node.close();
}
