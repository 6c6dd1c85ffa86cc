// The product as the laboratory sees it: the built command line, and nothing else of it.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host, LabProcess } from '../world.js';

/** The repository's root, whether this runs from source or from dist. */
const ROOT = (() => {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return directory;
})();
export const CLI = join(ROOT, 'dist', 'src', 'cli', 'main.js');

/** The strictest networks let nothing out but TCP to 80 and 443, so that is where the server is. */
const SIGNALLING_PORT = 443;
const STUN_PORT = 80;

/** Only what `wayleave server --help` lists: older builds lack some. */
export async function startServer(host: Host): Promise<LabProcess> {
  const help = await host.output('node', [CLI, 'server', '--help']);
  const [first = '', second = ''] = host.ipv4;
  const wanted: [string, string][] = [
    ['--port', String(SIGNALLING_PORT)],
    ['--stun-port', String(STUN_PORT)],
    ['--alternate-host', second],
    ['--public-host', first],
    ['--public-host', host.ipv6[0] ?? ''],
    ['--connections-per-ip', '1000'],
  ];
  const flags = wanted.filter(([flag]) => help.includes(flag)).flat();
  const server = await host.spawn('node', [CLI, 'server', '--json', ...flags], DEBUG);
  await server.event('listening');
  return server;
}

/** How a host reaches the server: in a family that it has. */
export function serverUrl(server: Host, from: Host): string {
  return from.ipv4.length > 0
    ? `ws://${server.ipv4[0]}:${SIGNALLING_PORT}`
    : `ws://[${server.ipv6[0]}]:${SIGNALLING_PORT}`;
}

/** The debug log goes to stderr, and is kept when a run fails. */
export const DEBUG = { env: { NODE_DEBUG: 'wayleave' } };

/** A node that sends every message back; settles when it has printed its address. */
export async function startNode(host: Host, server: Host): Promise<LabProcess> {
  const flags = ['--server', serverUrl(server, host), '--echo', '--json'];
  const node = await host.spawn('node', [CLI, 'node', ...flags], DEBUG);
  await node.event('listening', { timeoutMs: 60_000 });
  return node;
}

/** What a node calls its address at present. */
export function addressOf(node: LabProcess): string {
  const lines = node.stdout.lines.filter(line => /^\{"event":"(listening|address)"/.test(line));
  return (JSON.parse(lines.at(-1)!) as { address: string }).address;
}
