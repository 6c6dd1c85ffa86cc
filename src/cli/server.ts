// `wayleave server`: the signalling server as a command. Runs until told to stop; SIGTERM lets its clients leave.
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { WayleaveError } from '../errors.js';

interface Flags {
  host?: string;
  port: number;
  publicHost?: string[];
  stun?: string[];
  tlsCert?: string;
  tlsKey?: string;
  connectionsPerIp?: number;
  messagesPerSecond?: number;
  logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  json?: boolean;
}

const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
};
const gather = (value: string, former: string[] = []) => [...former, value];

export function registerServer(program: Command): void {
  program
    .command('server')
    .description('run the signalling server: all that nodes need to find each other')
    .option('--host <addr>', 'IP address to listen on (default: all)')
    .option('--port <n>', 'TCP port, 0 for any free one', whole(0, 65535), 7443)
    .option('--public-host <host>', 'name or address by which nodes reach this server; repeatable', gather)
    .option('--stun <url>', 'stun: URL of a STUN server to name to the nodes; repeatable', gather)
    .option('--tls-cert <file>', 'certificate chain, PEM: speak wss and https')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--connections-per-ip <n>', 'connections at one time from one address', whole(1, 1_000_000))
    .option(
      '--messages-per-second <n>',
      'lasting rate of one client; bursts of twice that',
      whole(1, 1_000_000),
    )
    .option('--log-level <level>', 'silent, error, warn, info or debug; to stderr', 'warn')
    .option('--json', 'one JSON object a line on stdout')
    .action(async (flags: Flags) => {
      try {
        await run(flags);
      } catch (error) {
        if (!(error instanceof WayleaveError)) throw error;
        const { code, message } = error;
        if (flags.json) print(JSON.stringify({ event: 'failed', code, message }));
        process.stderr.write(`wayleave server: ${message}\n`);
        process.exitCode = code === 'bad-option' ? 2 : 1;
      }
    });
}

async function run(flags: Flags): Promise<void> {
  const { host, port, publicHost, stun, connectionsPerIp, messagesPerSecond, logLevel } = flags;
  const tls = await readTls(flags);
  const stopped = stopRequest();
  const { createServer } = await import('../../signalling-server/index.js');
  await using server = await createServer({
    port,
    logLevel,
    ...(host !== undefined && { host }),
    ...(publicHost && { publicHosts: publicHost }),
    ...(stun && { stun }),
    ...(tls && { tls }),
    ...(connectionsPerIp !== undefined && { connectionsPerIp }),
    ...(messagesPerSecond !== undefined && { messagesPerSecond, messageBurst: 2 * messagesPerSecond }),
  });
  const { listening } = server;
  if (flags.json) print(JSON.stringify({ event: 'listening', ...listening }));
  else {
    print(`Signalling server at ${listening.signalling}`);
    if (listening.stun.length > 0) print(`STUN     ${listening.stun.join('  ')}`);
    if (listening.turn.length > 0) print(`TURN     ${listening.turn.join('  ')}`);
    print(`Health   ${listening.health}`);
    print(`Metrics  ${listening.metrics}`);
    print('');
    print('On each machine that takes part, run:');
    print(`  wayleave node --server ${listening.signalling}`);
    print('');
    print('Ctrl-C stops it.');
  }
  const signal = await stopped;
  await server.close();
  if (flags.json) print(JSON.stringify({ event: 'closed', signal }));
  process.exitCode = signal === 'SIGINT' ? 130 : 0;
}

async function readTls({ tlsCert, tlsKey }: Flags): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new WayleaveError('bad-option', '--tls-cert and --tls-key belong together');
  }
  const read = (path: string) =>
    readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new WayleaveError('listen-failed', `cannot read ${path}: ${cause.code}`, { cause });
    });
  return { cert: await read(tlsCert), key: await read(tlsKey) };
}

/** The first signal that asks to stop. A second one is not caught: it ends the process at once. */
function stopRequest(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    const stop = (signal: NodeJS.Signals) => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve(signal);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
