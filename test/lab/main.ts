// `npm run lab`: the matrix of NAT kinds with the built command line in real processes behind real NATs.
// Exit code 0: done; 1: this machine cannot build worlds, or with --strict a cell is not as expected; 2: usage.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { pc } from '../../src/cli/colours.js';
import { runMatrix } from './matrix/matrix.js';
import type { Run } from './matrix/result.js';
import { DEFAULT_KINDS, NAT_KINDS, type NatKindName, natKind } from './nat-kinds.js';
import { NEIGHBOURHOODS, type NeighbourhoodName } from './neighbourhoods.js';
import { renderPage } from './report/page.js';
import { type Report, totals } from './report/report.js';
import { terminalReport } from './report/terminal.js';
import { hasProgram, worldAbility } from './world/isolation.js';

interface Flags {
  only?: NatKindName[];
  cells?: Pair[];
  skewMs: number;
  initiatorMs: number;
  clockAheadMin: number;
  explain?: boolean;
  neighbours?: boolean;
  all?: boolean;
  oneWayMs: number;
  loss: number;
  runs: number;
  seed: number;
  parallel: number;
  out: string;
  strict?: boolean;
  json?: string;
  html?: string;
}

const number = (low: number, high: number) => (text: string) => {
  const value = Number(text);
  if (text !== '' && value >= low && value <= high) return value;
  throw new InvalidArgumentError(`It must be a number from ${low} to ${high}.`);
};

function kindList(text: string): NatKindName[] {
  const unknown = text.split(',').find(name => !Object.hasOwn(NAT_KINDS, name));
  if (unknown === undefined) return text.split(',') as NatKindName[];
  throw new InvalidArgumentError(`"${unknown}" is none of ${Object.keys(NAT_KINDS).join(', ')}.`);
}

interface Pair {
  readonly a: NatKindName;
  readonly b: NatKindName;
}

function pairList(text: string): Pair[] {
  return text.split(',').map(pair => {
    const [a, b, ...more] = kindList(pair.split(':').join(','));
    if (a && b && more.length === 0) return { a, b };
    throw new InvalidArgumentError(`"${pair}" is not of the form KIND:KIND.`);
  });
}

const program = new Command('npm run lab --')
  .description('Connects from behind every kind of NAT to behind every kind, and says which way won.')
  .option('--only <kinds>', 'these kinds of NAT only, comma separated', kindList)
  .option('--cells <pairs>', 'these cells only: initiator:responder, comma separated', pairList)
  .option('--neighbours', 'with --only or --cells: the places that two nodes share as well')
  .option('--all', `all ${Object.keys(NAT_KINDS).length} kinds, not just the usual ${DEFAULT_KINDS.length}`)
  .option('--one-way-ms <n>', 'from any place to any other, one way', number(0, 1000), 20)
  .option('--skew-ms <n>', 'from initiators it takes so much longer than to them', number(-1000, 1000), 0)
  .option('--initiator-ms <n>', 'initiators are so much farther from everybody', number(0, 1000), 0)
  .option('--clock-ahead-min <n>', 'their clocks are wrong by so many minutes', number(-1e4, 1e4), 0)
  .option('--loss <p>', 'probability that a packet is lost on its way', number(0, 0.9), 0)
  .option('--runs <n>', 'of each cell', number(1, 1000), 3)
  .option('--seed <n>', 'of everything random in the WAN', number(0, 2 ** 31), 1)
  .option('--parallel <n>', 'connects at one time', number(1, 64), 4)
  .option('--out <directory>', 'for the results and the logs of failures', 'lab-results')
  .option('--json <file>', 'the results as JSON (default: lab.json in --out)')
  .option('--html <file>', 'the results as a page (default: lab.html in --out)')
  .option('--explain', 'ask `wayleave explain` once for each cell, and compare')
  .option('--strict', 'exit code 1 if any cell is other than expected')
  .action(lab);

async function lab(flags: Flags): Promise<void> {
  const ability = await worldAbility();
  if (!ability.able) {
    process.stderr.write(`${pc.red('The laboratory cannot run here:')} ${ability.reason}\n`);
    process.exitCode = 1;
    return;
  }
  const everything = Object.keys(NAT_KINDS) as NatKindName[];
  const neighbourhoods =
    (flags.only || flags.cells) && !flags.neighbours
      ? []
      : (Object.keys(NEIGHBOURHOODS) as NeighbourhoodName[]);
  const inCells = flags.cells && [...new Set(flags.cells.flatMap(({ a, b }) => [a, b]))];
  const wanted = flags.only ?? inCells ?? (flags.all ? everything : DEFAULT_KINDS);
  const kinds: NatKindName[] = [];
  for (const name of wanted) {
    const { portMapping } = natKind(name);
    if (portMapping === undefined || (await hasProgram(portMapping))) kinds.push(name);
    else progress(`left out: ${name}, for want of ${portMapping} (apt-get install ${portMapping}-nftables)`);
  }
  const startedAt = new Date().toISOString();
  const began = performance.now();
  progress(`building ${2 * kinds.length} places and starting ${kinds.length} nodes …`);
  const cells = await runMatrix({
    kinds,
    pairs: flags.cells?.filter(({ a, b }) => kinds.includes(a) && kinds.includes(b)),
    neighbourhoods,
    oneWayMs: flags.oneWayMs,
    skewMs: flags.skewMs,
    initiatorMs: flags.initiatorMs,
    clockAheadMs: flags.clockAheadMin * 60_000,
    explain: flags.explain ?? false,
    loss: flags.loss,
    runs: flags.runs,
    seed: flags.seed,
    atOnce: flags.parallel,
    directory: resolve(flags.out, 'failures'),
    onStage: () => progress(`ready after ${Math.round(performance.now() - began)} ms`),
    onRun: (run, done, total) => progress(runLine(run, done, total)),
  });
  progress('', true);
  const report: Report = {
    cells,
    oneWayMs: flags.oneWayMs,
    loss: flags.loss,
    runs: flags.runs,
    seed: flags.seed,
    startedAt,
    durationMs: Math.round(performance.now() - began),
    node: process.version,
    kernel: release(),
    version: packageVersion(),
    kinds: kinds.map(name => ({ name, rfc4787: natKind(name).rfc4787, makers: natKind(name).makers })),
    neighbourhoods: neighbourhoods.map(name => ({ name, words: NEIGHBOURHOODS[name].words })),
  };
  const json = flags.json ?? join(flags.out, 'lab.json');
  const html = flags.html ?? join(flags.out, 'lab.html');
  for (const file of [json, html]) mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(html, renderPage(report));
  process.stdout.write(terminalReport(report));
  process.stdout.write(`${Math.round(report.durationMs / 1000)} s. Results: ${json}, to look at: ${html}\n`);
  if (flags.strict && totals(report).surprises.length > 0) process.exitCode = 1;
}

function runLine({ a, b, strategy, ms, connected }: Run, done: number, total: number): string {
  const outcome = connected ? `${strategy} ${Math.round(ms!)} ms` : 'no connection';
  return `${String(done).padStart(String(total).length)}/${total}  ${a} → ${b}: ${outcome}`;
}

/** One line that rewrites itself on a terminal; elsewhere one line each. */
function progress(text: string, last = false): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (!last) process.stderr.write(`${text}\n`);
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

program.exitOverride(error => process.exit(error.exitCode === 0 ? 0 : 2));
await program.parseAsync();
