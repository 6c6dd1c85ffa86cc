// Connects again and again, and gives up at a random moment: `node caller.js SERVER ADDRESS RUNS LONGEST-MS`. Says what it
// and the other side held before and hold after.
import { getEventListeners } from 'node:events';
import { type Held, heldAtRest } from './held.js';

const { createNode } = await import('../../../src/index.js');
const [server = '', address = '', runs = '1', longestMs = '100'] = process.argv.slice(2);
const warnings: string[] = [];
process.on('warning', warning => warnings.push(String(warning)));
const node = await createNode({ servers: [server], portMapping: false });
await node.ready();

/** What the other side holds, the pipe that asks included. */
async function theirs(): Promise<Held> {
  await using pipe = await node.connect(address);
  await pipe.send('what do you hold?');
  return JSON.parse(String(await pipe.recv({ timeoutMs: 40_000 }))) as Held;
}

async function both(before?: { ours: Held; theirs: Held }) {
  const there = await theirs();
  return { ours: await heldAtRest(before?.ours), theirs: there };
}

const before = await both();
const outcomes: Record<string, number> = {};
let listenersLeft = 0;
for (let run = 0; run < Number(runs); run++) {
  const controller = new AbortController();
  const most = Number(longestMs) * (run % 10 === 0 ? 30 : 1); // every tenth connects on the busiest machine
  const timer = setTimeout(() => controller.abort(), Math.random() * most);
  let outcome: string;
  try {
    await using pipe = await node.connect(address, { signal: controller.signal });
    outcome = pipe.route.strategy;
  } catch (error) {
    outcome = (error as { code?: string }).code ?? String(error);
  }
  clearTimeout(timer);
  listenersLeft += getEventListeners(controller.signal, 'abort').length;
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
const after = await both(before);
const result = { event: 'done', outcomes, listenersLeft, before, after, warnings };
process.stdout.write(`${JSON.stringify(result)}\n`);
await node.close();
