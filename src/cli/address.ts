// `wayleave address`: verifies an address and says what is in it.
import type { Command } from 'commander';
import type { InterfaceAddress } from '../address/address-schema.js';
import type { NodeAddress } from '../address/node-address.js';
import type { Behaviour } from '../nat/profile.js';
import { formatEndpoint } from '../net/endpoint.js';
import { pc } from './colours.js';
import { EXIT, runCommand } from './output.js';

export function registerAddress(program: Command): void {
  program
    .command('address')
    .description('verify an address and explain what it says')
    .argument('<address>', 'what a node printed')
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Example:
  wayleave address "$(cat address.txt)" --json

Nothing is dialled. Exit code 1, with the field that is wrong, if the address does not verify.`,
    )
    .action((text: string, flags: { json?: boolean }) =>
      runCommand(flags, async output => {
        const { NodeAddress } = await import('../address/node-address.js');
        const address = NodeAddress.parse(text.trim());
        output.result(describe(address), picture(address));
        return EXIT.done;
      }),
    );
}

function describe(address: NodeAddress): { event: string } & Record<string, unknown> {
  const { id, version, servers, capabilities, issuedAt, expiresAt, onThisMachine } = address;
  return {
    event: 'address',
    id,
    version,
    issuedAt,
    expiresAt,
    onThisMachine,
    capabilities,
    servers,
    interfaces: address.interfaces.map(({ unknownFields: _, ...rest }) => rest),
    length: address.toString().length,
  };
}

function picture(address: NodeAddress): string {
  const label = (text: string) => pc.bold(text.padEnd(14));
  const servers = address.servers.length > 0 ? address.servers.join(', ') : 'none';
  const lines = [
    `${pc.green('✔')} The signature verifies: this address was made by the node that it names.`,
    '',
    `${label('node id')}${address.id}${address.onThisMachine ? pc.dim('  (runs on this machine)') : ''}`,
    `${label('valid')}until ${address.expiresAt.toISOString()}, issued ${address.issuedAt.toISOString()}`,
    `${label('signalling')}${servers}`,
    `${label('offers')}${address.capabilities.join(', ') || 'nothing beyond direct connections'}`,
    `${label('format')}version ${address.version}, ${address.toString().length} characters`,
    ...address.interfaces.flatMap((entry, index) => ['', ...describeInterface(entry, index, label)]),
  ];
  return lines.join('\n');
}

function describeInterface(
  entry: InterfaceAddress,
  index: number,
  label: (text: string) => string,
): string[] {
  const { address, prefix, port, external, mapping, tcp, udp } = entry;
  const listens = port === null ? 'takes no connections' : `listens on port ${port}`;
  const seen = external?.port ? formatEndpoint({ host: external.host, port: external.port }) : external?.host;
  const how = mapping ? ` (mapped by ${mapping.by}, ${mapping.proved ? 'proved' : 'not proved'})` : '';
  return [
    `${label(`interface ${index + 1}`)}${address}/${prefix}, ${listens}`,
    `${label('  outside')}${seen === undefined ? 'not known' : seen + how}`,
    `${label('  TCP')}${behaviour(tcp)}`,
    `${label('  UDP')}${behaviour(udp)}`,
  ];
}

function behaviour({ kind, mapping, filtering, ports, samples, confidence }: Behaviour): string {
  if (kind === 'unknown') return 'not measured';
  if (kind === 'open' || kind === 'blocked') return `${kind} (${samples} samples)`;
  const step = ports.delta === undefined ? '' : ` ${ports.delta > 0 ? '+' : ''}${ports.delta}`;
  const trust = `${samples} samples, confidence ${Math.round(confidence * 100)} %`;
  return `${kind}: mapping ${mapping}, filtering ${filtering}, ports ${ports.pattern}${step} (${trust})`;
}
