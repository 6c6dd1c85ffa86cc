// The signalling server under load: what its clients cost, how much it carries and how fast, what the honest feel of
// the others, how everybody returns. `npm run bench -- load --help` says what can be asked for.
import type { Figure } from './figures.js';
import { cluster } from './load/cluster.js';
import { idle } from './load/idle.js';
import { mischief } from './load/mischief.js';
import { HELP, type LoadOptions, readOptions, type ScenarioName } from './load/options.js';
import { storm } from './load/storm.js';
import { throughput } from './load/throughput.js';

export const title = 'Signalling server under load, loopback, generator on the same machine';
export const help = HELP;

type Scenario = (options: LoadOptions, progress: (text: string) => void) => Promise<Figure[]>;

const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = { idle, throughput, mischief, storm, cluster };

export async function run(progress: (text: string) => void, args: readonly string[] = []): Promise<Figure[]> {
  const options = readOptions(args);
  const figures: Figure[] = [];
  for (const name of options.scenarios) figures.push(...(await SCENARIOS[name](options, progress)));
  return figures;
}
