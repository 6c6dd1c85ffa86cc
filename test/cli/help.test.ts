// `--help` teaches: every command says what it does and shows at least one whole command line to copy.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Rejects when the exit code is not 0. */
async function help(...command: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...command, '--help']);
  return stdout;
}

it('every command has a help text with an example of itself', async () => {
  const listed = /^Commands:\n((?: {2}.*\n)+)/m.exec(await help())?.[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name!);
  expect(names).toEqual(expect.arrayContaining(['server', 'node', 'connect', 'ping', 'forward']));
  for (const name of names.filter(each => each !== 'help')) {
    const text = await help(name);
    const examples = text.slice(text.search(/^Examples?\b/m));
    expect(examples, name).toMatch(new RegExp(`^.*wayleave ${name}\\b`, 'm'));
    expect(text, name).toMatch(/^Examples?\b/m);
  }
}, 60_000);
