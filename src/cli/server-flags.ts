// The flags of `wayleave server`, one for each of its settings, and what was given by them.
import { type Command, Option } from 'commander';
import type { ServerOptions } from '../../signalling-server/index.js';
import { COMMAND_DEFAULTS } from './server-configuration.js';
import type { Setting } from './server-settings.js';

/** A flag for each setting that text can say, under the heading of its group. */
export function addFlags(
  command: Command,
  settings: readonly Setting[],
  groups: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): void {
  for (const setting of settings) {
    if (setting.flag === undefined) continue;
    const [group = 'Options'] =
      Object.entries(groups).find(([, keys]) => Object.hasOwn(keys, setting.key)) ?? [];
    command.addOption(optionOf(setting).helpGroup(`${group}:`));
  }
}

function optionOf({ key, flag, placeholder, kind, why, standard, words }: Setting): Option {
  const means = [
    ...(flag!.startsWith('--no-') ? ['Turns off:'] : []),
    why,
    ...(words ? [`One of ${words.join(', ')}.`] : []),
    ...(kind === 'list' ? ['Repeatable, or comma separated.'] : []),
  ];
  const usual = COMMAND_DEFAULTS[key as keyof ServerOptions] ?? standard;
  if (typeof usual === 'number' || typeof usual === 'string') means.push(`(default: ${usual})`);
  const option = new Option(`${flag}${placeholder}`, means.join(' '));
  return kind === 'list' ? option.argParser(gather) : option;
}

function gather(item: string, former: readonly string[] = []): readonly string[] {
  return [...former, ...item.split(',')];
}

/** What was really given on the command line, by the keys of the options. */
export function givenFlags(
  command: Command,
  settings: readonly Setting[],
): ReadonlyMap<string, string | readonly string[] | boolean> {
  const given = new Map<string, string | readonly string[] | boolean>();
  for (const { key, flag } of settings) {
    const name = command.options.find(({ long }) => long === flag)?.attributeName();
    if (name !== undefined && command.getOptionValueSource(name) === 'cli')
      given.set(key, command.getOptionValue(name));
  }
  return given;
}
