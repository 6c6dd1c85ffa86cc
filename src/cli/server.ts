// `wayleave server`: the signalling server as a command. Runs until told to stop; SIGTERM lets its clients leave.
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Listening } from '../../signalling-server/index.js';
import { WayleaveError } from '../errors.js';
import { EXIT, type Output, runCommand } from './output.js';

interface Flags {
  host?: string;
  port: number;
  publicHost?: string[];
  stunPort?: number;
  alternateHost?: string;
  relay: boolean;
  relayPorts?: [number, number];
  relayToPrivate?: boolean;
  turnUrl?: string[];
  turnSecret?: string;
  stun?: string[];
  tlsCert?: string;
  tlsKey?: string;
  nats?: string[];
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
/** RFC 8489, section 19.2. */
const STUN_PORT = 3478;
const portRange = (text: string): [number, number] => {
  const [first, last] = text.split('-').map(Number);
  if (/^\d+-\d+$/.test(text) && first! >= 1 && first! <= last! && last! <= 65_535) return [first!, last!];
  throw new InvalidArgumentError('Write two ports, FIRST-LAST, from 1 to 65535.');
};
const gather = (value: string, former: string[] = []) => [...former, value];

export function registerServer(program: Command): void {
  program
    .command('server')
    .description('run the signalling server: all that nodes need to find each other')
    .option('--host <addr>', 'IP address to listen on (default: all)')
    .option('--port <n>', 'TCP port, 0 for any free one', whole(0, 65535), 7443)
    .option('--public-host <host>', 'name or address by which nodes reach this server; repeatable', gather)
    .option(
      '--stun-port <n>',
      `STUN port, UDP and TCP; the next one is used as well (default: ${STUN_PORT}, or any if that is taken)`,
      whole(0, 65534),
    )
    .option('--alternate-host <addr>', 'second IP address of this machine, for full NAT tests (RFC 5780)')
    .option('--no-relay', 'do not relay (TURN); nodes that find no direct way then do not connect')
    .option(
      '--relay-ports <first-last>',
      'ports of the relay’s allocations (default: 49152-65535)',
      portRange,
    )
    .option('--relay-to-private', 'let the relay reach private addresses: for laboratories only')
    .option('--turn-url <url>', 'turn: URL of a relay that shares --turn-secret (coturn); repeatable', gather)
    .option('--turn-secret <text>', 'what relay credentials are made with (also WAYLEAVE_TURN_SECRET)')
    .option('--stun <url>', 'stun: URL of a STUN server to name to the nodes; repeatable', gather)
    .option('--tls-cert <file>', 'certificate chain, PEM: speak wss and https')
    .option('--tls-key <file>', 'its private key, PEM')
    .option(
      '--nats <url,…>',
      'NATS servers that join this server with others to one service; comma separated',
      (text: string) => text.split(','),
    )
    .option('--connections-per-ip <n>', 'connections at one time from one address', whole(1, 1_000_000))
    .option(
      '--messages-per-second <n>',
      'lasting rate of one client; bursts of twice that',
      whole(1, 1_000_000),
    )
    .option('--log-level <level>', 'silent, error, warn, info or debug; to stderr', 'warn')
    .option('--json', 'one JSON object a line on stdout')
    .addHelpText(
      'after',
      `
Examples:
  wayleave server                                       for nodes that reach this machine by its own address
  wayleave server --public-host signal.example.org --tls-cert chain.pem --tls-key key.pem

Nodes then take --server ws://HOST:7443 (wss:// with a certificate). SIGTERM lets the clients leave, and ends it.`,
    )
    .action((flags: Flags) => runCommand(flags, (output, signal) => run(flags, output, signal)));
}

async function run(flags: Flags, output: Output, signal: AbortSignal): Promise<number> {
  const { host, port, publicHost, alternateHost, stunPort, stun } = flags;
  const { connectionsPerIp, messagesPerSecond, logLevel, relay, relayPorts, relayToPrivate, turnUrl } = flags;
  const { nats } = flags;
  const turnSecret = flags.turnSecret ?? process.env.WAYLEAVE_TURN_SECRET;
  const tls = await readTls(flags);
  const { createServer } = await import('../../signalling-server/index.js');
  const server = await createServer({
    port,
    logLevel,
    ...(host !== undefined && { host }),
    ...(publicHost && { publicHosts: publicHost }),
    ...(stun && { stun }),
    ...(tls && { tls }),
    ...(nats && { nats }),
    ...(connectionsPerIp !== undefined && { connectionsPerIp }),
    ...(messagesPerSecond !== undefined && { messagesPerSecond, messageBurst: 2 * messagesPerSecond }),
    stunPort: stunPort ?? STUN_PORT,
    stunPortTaken: stunPort === undefined ? 'take-another' : 'fail',
    ...(alternateHost !== undefined && { alternateHost }),
    relay,
    ...(relayPorts && { relayPorts }),
    ...(relayToPrivate && { relayToPrivate }),
    ...(turnUrl && { turnUrls: turnUrl }),
    ...(turnSecret !== undefined && { turnSecret }),
  });
  output.result({ event: 'listening', ...server.listening }, forPeople(server.listening));
  if (!signal.aborted)
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  await server.close();
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
