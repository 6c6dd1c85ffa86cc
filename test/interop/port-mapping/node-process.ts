// A node made by the library, as a process inside a world: prints when what its address says of the ways in
// changes, in milliseconds after the call of `createNode`. SIGTERM closes it, SIGKILL leaves all to the leases.
import { createNode, type NodeOptions } from '../../../src/index.js';

const say = (event: string, fields: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

const startedAtMs = performance.now();
const sinceStartMs = () => Math.round(performance.now() - startedAtMs);
const node = await createNode(JSON.parse(process.argv[2] ?? '{}') as NodeOptions);
say('created', { ms: sinceStartMs() });
let before = '';
const look = () => {
  for (const { external, mapping } of node.address.interfaces) {
    const now = JSON.stringify(mapping);
    if (now === before || (mapping === null && before === '')) continue;
    before = now;
    say(mapping ? 'published' : 'withdrawn', { external, mapping, ms: sinceStartMs() });
  }
};
node.events.on('address', look);
look();
process.once('SIGTERM', async () => {
  await node.close();
  say('closed');
});
await node.ready().then(
  () => say('ready', { ms: sinceStartMs() }),
  () => {}, // closed meanwhile
);
