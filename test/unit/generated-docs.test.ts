import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedDocs } from '../../scripts/generated-docs.js';
import { ERRORS } from '../../src/errors.js';
import { connectOptionsSchema, nodeOptionsSchema } from '../../src/options.js';
import { REASONS } from '../../src/strategies/reasons.js';

const pages = generatedDocs();

describe('the generated pages', () => {
  it.each(Object.entries(pages))(
    '%s is in step with the code; otherwise run `npm run docs`',
    (path, text) => {
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );

  it('name every option, error and reason', () => {
    const named = (path: string, names: readonly string[]) =>
      expect(names.filter(name => !pages[path]!.includes(`| \`${name}\` |`))).toEqual([]);
    const options = [nodeOptionsSchema, connectOptionsSchema].flatMap(({ shape }) => Object.keys(shape));
    expect(options.length).toBeGreaterThan(15);
    named('docs/options.md', options);
    named('docs/errors.md', Object.keys(ERRORS));
    named('docs/reasons.md', Object.keys(REASONS));
  });

  it('say default, range, unit and reason as the schema has them', () => {
    expect(pages['docs/options.md']).toContain(
      '| `timeoutMs` | 30000 | 1 to 600,000 | milliseconds | Time for',
    );
    expect(pages['docs/options.md']).toContain('| `keyFile` | – | text | path | Identity key file');
    expect(pages['docs/options.md']).not.toMatch(/undefined|\[object|\|\s+\|\s+\|/);
  });
});
