// The reference pages that are made from the code's own tables: options, errors, reasons. Pure: tables in,
// Markdown out. What the tables do not say, these pages do not say either.
import { z } from 'zod';
import { serverOptionsSchema } from '../signalling-server/options.js';
import { ERRORS } from '../src/errors.js';
import { connectOptionsSchema, nodeOptionsSchema, portMappingOptionsSchema } from '../src/options.js';
import { REASONS } from '../src/strategies/reasons.js';

const NOTICE = (source: string) => `<!-- Made by \`npm run docs\` from ${source}: change it there. -->`;

const OPTION_TABLES = [
  {
    title: '`createNode(options)`',
    source: 'src/options.ts',
    schema: nodeOptionsSchema,
    lead: 'A node: identity, listening, limits.',
  },
  {
    title: 'its `portMapping`',
    source: 'src/options.ts',
    schema: portMappingOptionsSchema,
    lead: 'Ways in that a node opens for itself; see [port mapping](port-mapping.md).',
  },
  {
    title: '`node.connect(address, options)`',
    source: 'src/options.ts',
    schema: connectOptionsSchema,
    lead: 'One connect. The CLI’s `--timeout` is in seconds.',
  },
  {
    title: '`createServer(options)`, from `wayleave/server`',
    source: 'signalling-server/options.ts',
    schema: serverOptionsSchema,
    lead:
      'The self-hosted server. Each option is also a key of its configuration file, a flag and a variable: `connectionsPerIp`, ' +
      '`--connections-per-ip`, `WAYLEAVE_SERVER_CONNECTIONS_PER_IP` ([self-hosting](self-hosting.md#configuration)).',
  },
] as const;

/** The part of JSON Schema that the tables use, with the two notes of every option. */
interface Described {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly anyOf?: readonly Described[];
  readonly items?: Described;
  readonly prefixItems?: readonly Described[];
  readonly properties?: Readonly<Record<string, Described>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly default?: unknown;
  readonly unit?: string;
  readonly why?: string;
}

const FORMATS: Readonly<Record<string, string>> = {
  ipv4: 'IPv4',
  ipv6: 'IPv6',
  cidrv4: 'IPv4 network',
  cidrv6: 'IPv6 network',
};
const number = (value: number) => (value < 100_000 ? `${value}` : value.toLocaleString('en'));

/** What values an option takes, in words; empty where its unit says it all. */
function range(schema: Described): string {
  const { type, minimum = 0, maximum, maxLength, minItems = 0, maxItems, items, properties } = schema;
  if (schema.anyOf) return schema.anyOf.map(range).join(' or ');
  if (schema.prefixItems) return `[${schema.prefixItems.map(range).join(', ')}]`;
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map(word => `\`${word}\``).join(', ');
  if (schema.format) return FORMATS[schema.format] ?? schema.format;
  switch (type) {
    case 'integer':
    case 'number':
      return maximum === undefined ? `from ${number(minimum)}` : `${number(minimum)} to ${number(maximum)}`;
    case 'null':
      return '`null`';
    case 'boolean':
      return '`true`, `false`';
    case 'string':
      return maxLength === undefined ? 'text' : `text, up to ${number(maxLength)} characters`;
    case 'array': {
      const count = maxItems === undefined ? `${minItems} or more` : `${minItems} to ${maxItems}`;
      return `list of ${count}: ${range(items ?? {})}`;
    }
    case 'object':
      return `{ ${Object.entries(properties ?? {})
        .map(([name, value]) => `${name}: ${range(value)}`)
        .join('; ')} }`;
    default:
      return '';
  }
}

function standard(value: unknown): string {
  if (value === undefined) return '–';
  return typeof value === 'number' ? number(value) : `\`${JSON.stringify(value)}\``;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const page = (...parts: readonly string[]) => `${parts.join('\n\n')}\n`;

/** @throws Error when an option says neither unit nor reason: then it is not finished. */
function optionRows(schema: z.ZodType): string[][] {
  const { properties = {} } = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as Described;
  return Object.entries(properties).map(([name, described]) => {
    const { unit, why } = described;
    if (!unit || !why) throw new Error(`option ${name} has no unit or no reason`);
    return [`\`${name}\``, standard(described.default), range(described), unit, why];
  });
}

function optionsPage(): string {
  const head = ['option', 'default', 'range', 'unit', 'meaning and reason'];
  return page(
    '# Options',
    NOTICE('src/options.ts and signalling-server/options.ts'),
    'An option that is unknown or out of range is a `WayleaveError` with code `bad-option` that names it. A dash' +
      ' means: no default, the option may be left out.',
    ...OPTION_TABLES.flatMap(({ title, source, schema, lead }) => [
      `## ${title}`,
      `${lead} Table: \`${source}\`.`,
      table(head, optionRows(schema)),
    ]),
  );
}

function errorsPage(): string {
  return page(
    '# Errors',
    NOTICE('src/errors.ts'),
    'Every error that wayleave throws on purpose is a `WayleaveError` with one of these codes in `code`; the list is' +
      ' closed. `message` says what happened this time, `remedy` what to do, `cause` what the system said.' +
      ' `AddressError` adds `field`, `DecodeError` adds `place`, `ConnectError` adds `attempts` (see' +
      ' [reasons](reasons.md)).',
    table(
      ['code', 'meaning', 'what to do'],
      Object.entries(ERRORS).map(([code, { meaning, remedy }]) => [`\`${code}\``, meaning, remedy]),
    ),
  );
}

function reasonsPage(): string {
  return page(
    '# Reasons',
    NOTICE('src/strategies/reasons.ts'),
    'Why a strategy won, failed or was not tried: in `attempts` of a connect, and in what `wayleave explain` predicts.' +
      ' The list is closed.',
    table(
      ['reason', 'meaning'],
      Object.entries(REASONS).map(([reason, meaning]) => [`\`${reason}\``, meaning]),
    ),
  );
}

/** Every generated page by its path in the repository. */
export const generatedDocs = (): Readonly<Record<string, string>> => ({
  'docs/options.md': optionsPage(),
  'docs/errors.md': errorsPage(),
  'docs/reasons.md': reasonsPage(),
});
