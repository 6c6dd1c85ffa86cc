// `npm run bench [-- SUITE… [OPTIONS]]`: runs the benchmarks, prints a table each, writes bench/results/SUITE.json.
// Exit code 1 when a figure misses its limit, 2 for wrong usage. `soak` runs only when it is named.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Figure, met, printTable, writeResults } from './figures.js';

interface Suite {
  readonly title: string;
  /** What its options are; a suite without takes none. */
  readonly help?: string;
  run(progress: (text: string) => void, options: readonly string[]): Promise<Figure[]>;
}

const SUITES: Record<string, () => Promise<Suite>> = {
  pipe: () => import('./pipe.js'),
  relay: () => import('./relay.js'),
  stun: () => import('./stun.js'),
  load: () => import('./load.js'),
  backplane: () => import('./backplane.js'),
  soak: () => import('./soak.js'),
};
const USUAL = Object.keys(SUITES).filter(name => name !== 'soak');

function wrongUsage(text: string): never {
  console.error(text);
  process.exit(2);
}

const args = process.argv.slice(2);
const firstOption = args.findIndex(arg => arg.startsWith('-'));
const [wanted, options] =
  firstOption < 0 ? [args, []] : [args.slice(0, firstOption), args.slice(firstOption)];
const unknown = wanted.filter(name => !(name in SUITES));
const known = `there are ${Object.keys(SUITES).join(', ')}`;
if (unknown.length > 0) wrongUsage(`unknown suite ${unknown.join(', ')}; ${known}`);
if (options.length > 0 && wanted.length !== 1)
  wrongUsage(`options are for one suite: npm run bench -- SUITE --help; ${known}`);

const results = join(fileURLToPath(import.meta.url), '..', '..', '..', 'bench', 'results');
let missed = 0;
for (const name of wanted.length > 0 ? wanted : USUAL) {
  const suite = await SUITES[name]!();
  if (options.length > 0 && !suite.help) wrongUsage(`suite ${name} has no options`);
  if (options.includes('--help')) {
    console.log(suite.help);
    break;
  }
  const figures = await suite
    .run(text => console.error(`${name}: ${text}`), options)
    .catch((error: NodeJS.ErrnoException) => {
      if (error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS')) wrongUsage(error.message);
      throw error;
    });
  printTable(suite.title, figures);
  console.log(`written to ${writeResults(results, name, figures)}`);
  missed += figures.filter(figure => met(figure) === false).length;
}
if (missed > 0) {
  console.error(`${missed} figures miss their limit`);
  process.exitCode = 1;
}
