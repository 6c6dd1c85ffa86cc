// `wayleave explain`: what a connect between two addresses would do, and why, without connecting.
import type { Command } from 'commander';
import type { Prediction } from '../strategies/prediction.js';
import { REASONS } from '../strategies/reasons.js';
import { pc } from './colours.js';
import { type NodeFlags, nodeFlags, nodeOptions } from './node-flags.js';
import { EXIT, runCommand } from './output.js';

interface Flags extends NodeFlags {
  from?: string;
}

export function registerExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('say which strategies would be tried, which should win, and why not the others')
    .argument('<address>', 'the node to be reached')
    .option('--from <address>', 'the node that would connect (default: one started here for the purpose)')
    .addHelpText(
      'after',
      `
Examples:
  wayleave explain ADDRESS                      from here
  wayleave explain ADDRESS --from OTHER --json  between two nodes that are both elsewhere

Nothing is dialled. docs/reasons.md lists every reason and what it means.`,
    );
  nodeFlags(command).action((text: string, flags: Flags) =>
    runCommand(flags, async (output, signal) => {
      const [{ NodeAddress }, { predict }, { strategies }] = await Promise.all([
        import('../address/node-address.js'),
        import('../strategies/prediction.js'),
        import('../strategies/index.js'),
      ]);
      const to = NodeAddress.parse(text.trim());
      const from =
        flags.from === undefined ? await ownAddress(flags, signal) : NodeAddress.parse(flags.from.trim());
      const prediction = predict(from, to, strategies);
      output.result({ event: 'prediction', ...prediction }, picture(prediction));
      return EXIT.done;
    }),
  );
}

async function ownAddress(flags: Flags, signal: AbortSignal) {
  const { createNode } = await import('../node.js');
  await using node = await createNode(nodeOptions(flags));
  if (nodeOptions(flags).servers?.length) await node.ready({ signal });
  return node.address;
}

const MARK = {
  likely: pc.green('✔ likely    '),
  possible: pc.yellow('? possible  '),
  impossible: pc.red('✘ impossible'),
};

function picture({ expected, strategies }: Prediction): string {
  const rows = strategies.map(({ strategy, verdict, reason, roundTrips }) => {
    const cost = roundTrips === null ? '' : pc.dim(` About ${roundTrips} round trips.`);
    return `  ${MARK[verdict]}  ${pc.bold(strategy.padEnd(8))} ${REASONS[reason]}${cost}`;
  });
  const verdict =
    expected === null
      ? `${pc.red('No strategy can connect these two.')} The reasons:`
      : `Expected: ${pc.bold(expected)}. In the order they would be tried:`;
  return [verdict, ...rows].join('\n');
}
