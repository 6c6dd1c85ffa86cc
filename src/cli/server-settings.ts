// One row for each option of the server, made from its schema: what its flag, its environment variable and its values
// are called, and how text becomes a value. So that a new option needs one line in the whole house.
import { z } from 'zod';

/** The part of JSON Schema that tells how a value is written as text. */
interface Described {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Described[];
  readonly items?: Described | false;
  readonly prefixItems?: readonly Described[];
  readonly default?: unknown;
  readonly unit?: string;
  readonly why?: string;
}

export interface Setting {
  /** As in the configuration file and in `createServer`. */
  readonly key: string;
  /** Undefined for what is not text: those are for the file. */
  readonly flag: string | undefined;
  readonly variable: string;
  /** What it means, and why its default is what it is. */
  readonly why: string;
  readonly standard: unknown;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly kind: 'number' | 'switch' | 'word' | 'list' | 'range' | 'json';
  readonly words: readonly string[] | undefined;
}

const PLACEHOLDERS: Readonly<Record<Setting['kind'], string>> = {
  number: ' <n>',
  switch: '',
  word: ' <text>',
  list: ' <item>',
  range: ' <first-last>',
  json: '',
};

/** Every setting in the order of the schema. */
export function settingsOf(schema: z.ZodObject): readonly Setting[] {
  const { properties } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties as Record<string, Described>).map(([key, described]) => {
    const kind = kindOf(described);
    const name = kebab(kind === 'list' ? singular(key) : key);
    const { why = '', default: standard } = described;
    const flag =
      kind === 'json' ? undefined : `--${kind === 'switch' && standard === true ? 'no-' : ''}${name}`;
    const variable = `WAYLEAVE_SERVER_${kebab(key).replaceAll('-', '_').toUpperCase()}`;
    const placeholder = described.unit === 'path' ? ' <file>' : PLACEHOLDERS[kind];
    return { key, flag, variable, why, standard, placeholder, kind, words: described.enum };
  });
}

/**
 * The value that a text stands for: `a,b` for lists, `first-last` for ranges, `none` where an option can be left out,
 * JSON for what is more. What makes no sense stays text, for the schema to refuse.
 */
export function readText({ kind }: Setting, text: string): unknown {
  switch (kind) {
    case 'number':
      return text === 'none' ? null : /^\d+$/.test(text) ? Number(text) : text;
    case 'switch':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'list':
      return text === '' ? [] : text.split(',').map(item => item.trim());
    case 'range':
      return /^\d+-\d+$/.test(text) ? text.split('-').map(Number) : text;
    case 'json':
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    default:
      return text;
  }
}

function kindOf({ type, anyOf, items, prefixItems }: Described): Setting['kind'] {
  if (anyOf) return kindOf(anyOf.find(each => each.type !== 'null') ?? {});
  if (prefixItems) return 'range';
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean') return 'switch';
  if (type === 'array') return items && ['list', 'json', 'range'].includes(kindOf(items)) ? 'json' : 'list';
  return type === 'object' ? 'json' : 'word';
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

function singular(plural: string): string {
  if (plural === 'nats') return plural; // a name
  return plural.replace(/ies$/, 'y').replace(/s$/, '');
}
