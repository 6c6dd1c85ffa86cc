#!/usr/bin/env node
// The `wayleave` command: one file a subcommand, each of which loads what it needs when it is called.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerAddress } from './address.js';
import { registerConnect } from './connect.js';
import { registerExplain } from './explain.js';
import { registerForward } from './forward.js';
import { greetingOf } from './greeting.js';
import { registerNode } from './node.js';
import { EXIT } from './output.js';
import { registerPing } from './ping.js';
import { registerProbe } from './probe.js';
import { registerServer } from './server.js';

// `wayleave … | head`: the reader has had enough, which is no reason for a stack trace (output.ts ends the command)
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const manifest = new URL('../../../package.json', import.meta.url);

const program = new Command('wayleave')
  .description('Connect two programs wherever they are: direct, reverse, hole punching, relay.')
  .version((JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version)
  .showHelpAfterError('(add --help for the options and examples)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Start here, in three terminals:
  wayleave server                              signalling for your nodes
  wayleave node --server ws://HOST:7443 --echo prints an address
  wayleave connect ADDRESS --message hello     from anywhere

Exit codes: 0 done, 1 could not (the reason is printed), 2 wrong usage, 130 interrupted.`,
  );

for (const register of [
  registerServer,
  registerNode,
  registerConnect,
  (to: Command) => registerProbe(to, { greetingOf }),
  registerAddress,
  registerExplain,
  registerPing,
  registerForward,
]) {
  await register(program);
}
for (const command of program.commands)
  command.exitOverride().showHelpAfterError('(add --help for the options and examples)');

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
