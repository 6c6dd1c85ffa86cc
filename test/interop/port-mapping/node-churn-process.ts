// Nodes that are closed soon after their start, at any moment of what goes on with the gateway then.
import { createNode } from '../../../src/index.js';

const [server = '', runs = '1', longestMs = '0'] = process.argv.slice(2);
let uncaught = 0;
process.on('uncaughtException', error => {
  uncaught++;
  process.stderr.write(`${error.stack}\n`);
});
process.on('unhandledRejection', error => {
  uncaught++;
  process.stderr.write(`${String(error)}\n`);
});
let slowestCloseMs = 0;
for (let run = 0; run < Number(runs); run++) {
  const node = await createNode({ servers: [server] });
  await new Promise(resolve => setTimeout(resolve, (Number(longestMs) * run) / Number(runs)));
  const startedAtMs = performance.now();
  await node.close();
  slowestCloseMs = Math.max(slowestCloseMs, Math.round(performance.now() - startedAtMs));
}
process.stdout.write(`${JSON.stringify({ event: 'done', uncaught, slowestCloseMs })}\n`);
