// What a server is told, from where: the configuration file, then the environment, then the flags, each over the one
// before. Whatever is wrong is told by the name under which it was said.
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { ServerOptions } from '../../signalling-server/index.js';
import { WayleaveError } from '../errors.js';
import { readText, type Setting, settingsOf } from './server-settings.js';

const MAX_FILE_BYTES = 1 << 20;
/** RFC 8489, section 19.2. */
const STUN_PORT = 3478;
/** What the command does differently from `createServer`: nobody else answers on this machine, and somebody reads. */
export const COMMAND_DEFAULTS: ServerOptions = {
  stunPort: STUN_PORT,
  stunPortTaken: 'take-another',
  logLevel: 'warn',
};

interface Said {
  readonly value: unknown;
  /** As whoever said it calls it: `--port`, `WAYLEAVE_SERVER_PORT`, or `FILE: option port`. */
  readonly as: string;
}
type Layer = ReadonlyMap<string, Said>;

export interface Configuration {
  readonly options: ServerOptions;
  /** Where each option was said; those that are not here have their defaults. */
  readonly origins: ReadonlyMap<string, string>;
}

/** @throws WayleaveError `bad-option`, naming the file and the key, the variable, or the flag. */
export async function configurationOf(
  schema: z.ZodObject,
  said: {
    readonly file: string | undefined;
    readonly environment: NodeJS.ProcessEnv;
    /** Flags by key: their text, or their texts. */
    readonly flags: ReadonlyMap<string, string | readonly string[] | boolean>;
  },
): Promise<Configuration> {
  const settings = settingsOf(schema);
  const layers: Layer[] = [
    said.file === undefined ? new Map() : await fromFile(said.file),
    fromEnvironment(settings, said.environment),
    fromFlags(settings, said.flags),
  ];
  const options: Record<string, unknown> = { ...COMMAND_DEFAULTS };
  const origins = new Map<string, string>();
  for (const layer of layers) {
    for (const [key, { value, as }] of layer) {
      check(schema, key, value, as);
      options[key] = value;
      origins.set(key, as);
    }
  }
  // who names the port means it
  if (origins.has('stunPort') && !origins.has('stunPortTaken')) options.stunPortTaken = 'fail';
  return { options: options as ServerOptions, origins };
}

function check(schema: z.ZodObject, key: string, value: unknown, as: string): void {
  if (!Object.hasOwn(schema.shape, key))
    throw new WayleaveError('bad-option', `${as}: there is no such option`);
  // the schema speaks of types; whoever wrote `--port abc` wrote text
  const error: z.core.$ZodErrorMap = ({ code, expected }) =>
    code === 'invalid_type' ? `must be of type ${expected}` : undefined;
  const result = (schema.shape[key] as z.ZodType).safeParse(value, { error });
  if (result.success) return;
  const { path, message } = result.error.issues[0]!;
  throw new WayleaveError('bad-option', `${[as, ...path].join('.')}: ${message}`);
}

async function fromFile(path: string): Promise<Layer> {
  const fail = (why: string, cause?: unknown) =>
    new WayleaveError('bad-option', `${path}: ${why}`, { cause });
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw fail(`cannot be read: ${cause.code}`, cause);
  });
  if (text.length > MAX_FILE_BYTES) throw fail('too large for a configuration');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw fail(`not JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw fail('a configuration is an object, { "option": value }');
  return new Map(
    Object.entries(content).map(([key, value]) => [key, { value, as: `${path}: option ${key}` }]),
  );
}

function fromEnvironment(settings: readonly Setting[], environment: NodeJS.ProcessEnv): Layer {
  const rows = new Map(settings.map(setting => [setting.variable, setting]));
  const layer = new Map<string, Said>();
  const secret = environment.WAYLEAVE_TURN_SECRET;
  if (secret !== undefined) layer.set('turnSecret', { value: secret, as: 'WAYLEAVE_TURN_SECRET' });
  for (const [as, text] of Object.entries(environment)) {
    if (!as.startsWith('WAYLEAVE_SERVER_') || as === CONFIG_VARIABLE || text === undefined) continue;
    const setting = rows.get(as);
    if (!setting) throw new WayleaveError('bad-option', `${as}: there is no such option`);
    layer.set(setting.key, { value: readText(setting, text), as });
  }
  return layer;
}

/** The variable that names the configuration file. */
export const CONFIG_VARIABLE = 'WAYLEAVE_SERVER_CONFIG';

function fromFlags(
  settings: readonly Setting[],
  flags: ReadonlyMap<string, string | readonly string[] | boolean>,
): Layer {
  const layer = new Map<string, Said>();
  for (const setting of settings) {
    const given = flags.get(setting.key);
    if (given === undefined) continue;
    const value = typeof given === 'string' ? readText(setting, given) : given;
    layer.set(setting.key, { value, as: setting.flag! });
  }
  return layer;
}

/** `--tls-cert` says more to its author than `tlsCert` does: names where the options that a message is about were said. */
export function withOrigins(error: unknown, origins: Configuration['origins']): unknown {
  if (!(error instanceof WayleaveError) || error.code !== 'bad-option') return error;
  const named = [...origins].filter(([key]) => new RegExp(`\\b${key}\\b`).test(error.message));
  if (named.length === 0) return error;
  const said = named.map(([, as]) => as).join(', ');
  return new WayleaveError(error.code, `${error.message} (${said})`, { cause: error });
}
