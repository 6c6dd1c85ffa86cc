// The whole product in a world: the built command line as server, node and whoever connects by `direct` alone.
import { NodeAddress } from '../../../src/address/node-address.js';
import { addressOf, CLI, DEBUG, serverUrl } from '../../lab/matrix/product.js';
import type { Host, LabProcess } from '../../lab/world.js';

interface Way {
  readonly address: string;
  readonly external: { host: string; port: number | null } | null;
  readonly mapping: { by: string; proved: boolean } | null;
}

/** A node that sends every message back; settles when it has printed its address. */
export async function startEcho(
  host: Host,
  server: Host,
  flags: readonly string[] = [],
): Promise<LabProcess> {
  const args = [CLI, 'node', '--server', serverUrl(server, host), '--echo', '--json', ...flags];
  const node = await host.spawn('node', args, DEBUG);
  await node.event('listening', { timeoutMs: 30_000 });
  return node;
}

/** What its address now says of the ways in. */
export function waysOf(node: LabProcess): Way[] {
  return NodeAddress.parse(addressOf(node)).interfaces.map(({ address, external, mapping }) => {
    return { address, external, mapping };
  });
}

/** Where a `wayleave connect` from that host reached the node by `direct`, or why it did not. */
export async function connectDirect(
  from: Host,
  node: LabProcess,
): Promise<{ strategy: string; remote: { host: string; port: number }; echo: string } | { failed: string }> {
  const flags = ['--strategy', 'direct', '--message', 'hello', '--timeout', '8', '--json'];
  const { code, stdout, stderr } = await from.run('node', [CLI, 'connect', addressOf(node), ...flags]);
  const events = stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line));
  const connected = events.find(({ event }) => event === 'connected');
  const message = events.find(({ event }) => event === 'message');
  if (code !== 0 || !connected || !message) return { failed: stdout + stderr };
  return { strategy: connected.strategy, remote: connected.remote, echo: message.data };
}

/** Ends it as systemd and Ctrl-C do; what it exits with. */
export async function terminate(node: LabProcess): Promise<number | null> {
  node.kill('SIGTERM');
  return (await node.exited).code;
}
