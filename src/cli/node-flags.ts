// The options that every command with a node of its own shares, and what they mean for `createNode`.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isNodeId } from '../identity/node-id.js';
import type { NodeOptions } from '../options.js';

export interface NodeFlags {
  server: string[];
  key?: string;
  json?: boolean;
  /** Whether the gateway is asked for a port; a command that has no flag for it does not. */
  portMapping?: boolean;
}

const collect = (value: string, earlier: string[] = []) => [...earlier, value];

/** Adds `--server`, `--key` and `--json`. */
export function nodeFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--server <url>',
        'signalling server, ws:// or wss://, or an MQTT broker, mqtt:// or mqtts://; may be repeated (also WAYLEAVE_SERVERS)',
      )
        .argParser(collect)
        .default([], 'WAYLEAVE_SERVERS, or none'),
    )
    .option('--key <file>', 'identity key file, created when absent; without it, a new identity each time')
    .option('--json', 'one JSON object per line on stdout');
}

/** What the shared flags and the environment say. */
export function nodeOptions({ server, key, portMapping = false }: NodeFlags): NodeOptions {
  const named = server.length > 0 ? server : (process.env.WAYLEAVE_SERVERS ?? '').split(',');
  const servers = named.map(url => url.trim()).filter(url => url !== '');
  return {
    servers,
    ...(key === undefined ? {} : { keyFile: key }),
    ...(portMapping ? {} : { portMapping: false }),
  };
}

/** A parser for whole numbers within a range. */
export function integer(low: number, high: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
  };
}

/** A parser for repeated node ids. */
export function nodeIds(value: string, earlier: string[] = []): string[] {
  if (isNodeId(value)) return [...earlier, value];
  throw new InvalidArgumentError('It must be a node id: 52 characters, a to z and 2 to 7.');
}
