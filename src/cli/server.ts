// `wayleave server`: the signalling server as a command. Runs until told to stop; SIGTERM lets its clients leave, SIGHUP
// brings a new certificate.
import type { Command } from 'commander';
import type { Listening, Server } from '../../signalling-server/index.js';
import { EXIT, type Output, runCommand } from './output.js';
import { CONFIG_VARIABLE, type Configuration, configurationOf, withOrigins } from './server-configuration.js';
import { addFlags, givenFlags } from './server-flags.js';
import { settingsOf } from './server-settings.js';

interface Flags {
  config?: string;
  check?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Each option is also a key of the configuration file and an environment variable: connectionsPerIp,
WAYLEAVE_SERVER_CONNECTIONS_PER_IP and --connections-per-ip are one. Flags win over variables, variables over the file.

Examples:
  wayleave server                                       for nodes that reach this machine by its own address
  wayleave server --public-host signal.example.org --tls-cert chain.pem --tls-key key.pem
  wayleave server --config /etc/wayleave/server.json --check

Nodes then take --server ws://HOST:7443 (wss:// with a certificate). SIGTERM lets the clients leave and ends it,
SIGHUP reads the certificate again.`;

export async function registerServer(program: Command): Promise<void> {
  const command = program
    .command('server')
    .description('run the signalling server: all that nodes need to find each other');
  // The other commands need not know its options, and are faster without.
  if (!process.argv.includes('server')) return;
  const { OPTION_GROUPS, serverOptionsSchema: schema } = await import('../../signalling-server/options.js');
  const settings = settingsOf(schema);
  addFlags(command, settings, OPTION_GROUPS);
  command
    .option('--config <file>', `JSON file with any of these options, by their keys (also ${CONFIG_VARIABLE})`)
    .option('--check', 'only check the configuration, and print what it comes to, without secrets')
    .option('--json', 'one JSON object a line on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) =>
      runCommand(flags, async (output, signal) => {
        const configuration = await configurationOf(schema, {
          file: flags.config ?? process.env[CONFIG_VARIABLE],
          environment: process.env,
          flags: givenFlags(command, settings),
        });
        try {
          return await (flags.check ? check(configuration, output) : run(configuration, output, signal));
        } catch (error) {
          throw withOrigins(error, configuration.origins);
        }
      }),
    );
}

async function check({ options, origins }: Configuration, output: Output): Promise<number> {
  const { effectiveOptions } = await import('../../signalling-server/options/effective.js');
  const effective = await effectiveOptions(options);
  const rows = Object.entries(effective).map(
    ([key, value]) =>
      `${key.padEnd(28)} ${JSON.stringify(value)}${origins.has(key) ? `  (${origins.get(key)})` : ''}`,
  );
  output.result({ event: 'configuration', options: effective }, rows.join('\n'));
  return EXIT.done;
}

async function run({ options }: Configuration, output: Output, signal: AbortSignal): Promise<number> {
  const { createServer } = await import('../../signalling-server/index.js');
  let server: Server | undefined;
  const reload = () => void server?.reload().catch(() => {}); // the log has said why
  process.on('SIGHUP', reload);
  try {
    server = await createServer(options);
    output.result({ event: 'listening', ...server.listening }, forPeople(server.listening));
    if (!signal.aborted)
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
    await server.close();
  } finally {
    process.off('SIGHUP', reload);
  }
  output.result({ event: 'closed' });
  return EXIT.done; // or what the signal says
}

function forPeople({ signalling, stun, turn, metrics, health }: Listening): string {
  const rows = [
    `Signalling server at ${signalling}`,
    ...(stun.length > 0 ? [`STUN     ${stun.join('  ')}`] : []),
    ...(turn.length > 0 ? [`TURN     ${turn.join('  ')}`] : []),
    `Health   ${health}`,
    `Metrics  ${metrics}`,
    '',
    'On each machine that takes part, run:',
    `  wayleave node --server ${signalling}`,
    '',
    'Ctrl-C stops it.',
  ];
  return rows.join('\n');
}
