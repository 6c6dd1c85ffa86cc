// `npm run bench [SUITE…]`: runs the benchmarks, prints a table each, writes bench/results/SUITE.json.
// Exit code 1 when a figure misses its limit. `soak` runs only when it is named, for `--minutes N`.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Figure, met, printTable, writeResults } from './figures.js';

interface Suite {
  readonly title: string;
  run(progress: (text: string) => void, minutes: number): Promise<Figure[]>;
}

const SUITES: Record<string, () => Promise<Suite>> = {
  pipe: () => import('./pipe.js'),
  relay: () => import('./relay.js'),
  stun: () => import('./stun.js'),
  signalling: () => import('./signalling.js'),
  soak: () => import('./soak.js'),
};

const { positionals: wanted, values } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '40' } },
});
const usual = Object.keys(SUITES).filter(name => name !== 'soak');
const unknown = wanted.filter(name => !(name in SUITES));
if (unknown.length > 0) {
  console.error(`unknown suite ${unknown.join(', ')}; there are: ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

const results = join(fileURLToPath(import.meta.url), '..', '..', '..', 'bench', 'results');
let missed = 0;
for (const name of wanted.length > 0 ? wanted : usual) {
  const suite = await SUITES[name]!();
  const figures = await suite.run(text => console.error(`${name}: ${text}`), Number(values.minutes));
  printTable(suite.title, figures);
  console.log(`written to ${writeResults(results, name, figures)}`);
  missed += figures.filter(figure => met(figure) === false).length;
}
if (missed > 0) {
  console.error(`${missed} figures miss their limit`);
  process.exitCode = 1;
}
