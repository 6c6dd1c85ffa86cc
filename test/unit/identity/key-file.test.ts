import { execFile, execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { loadIdentity } from '../../../src/identity/keys.js';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wayleave-key-'));
  path = join(directory, 'key.pem');
});
afterEach(() => rm(directory, { recursive: true }));

const pemOf = (key: { export(o: { format: 'pem'; type: 'pkcs8' }): string | Buffer }) =>
  key.export({ format: 'pem', type: 'pkcs8' });
const posix = process.platform !== 'win32';

describe('a key file', () => {
  it('is created for its owner alone, and is the identity from then on', async () => {
    const created = await loadIdentity(path);
    if (posix) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await loadIdentity(path)).id).toBe(created.id);
    expect(await readFile(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(await readdir(directory)).toEqual(['key.pem']);
  });

  it('may be made by openssl', async () => {
    await writeFile(path, pemOf(generateKeyPairSync('ed25519').privateKey), { mode: 0o600 });
    expect((await loadIdentity(path)).id).toHaveLength(52);
  });
});

describe('refused, with a reason, and left as it is:', () => {
  const ed25519 = pemOf(generateKeyPairSync('ed25519').privateKey).toString();
  const encrypted = generateKeyPairSync('ed25519').privateKey.export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  });

  it.each([
    ['a file that others may read', ed25519, 0o644, /others may read it \(mode 644\).*chmod 600/],
    ['a file that the group may write', ed25519, 0o620, /others may read it/],
    ['an X25519 key', pemOf(generateKeyPairSync('x25519').privateKey), 0o600, /holds a x25519 key/],
    [
      'a P-256 key',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      0o600,
      /holds a ec key/,
    ],
    ['garbage', 'garbage', 0o600, /not a PEM private key/],
    ['an empty file', '', 0o600, /not a PEM private key/],
    ['half a key', ed25519.slice(0, 60), 0o600, /not a PEM private key/],
    ['a key with a passphrase', encrypted, 0o600, /not a PEM private key/],
    ['a very large file', Buffer.alloc(20_000), 0o600, /too large/],
  ])('%s', async (_, content, mode, message) => {
    if (!posix && mode !== 0o600) return;
    await writeFile(path, content);
    await chmod(path, mode);
    const error = await loadIdentity(path).catch(error => error);
    expect(error).toBeInstanceOf(WayleaveError);
    expect(error).toMatchObject({ code: 'bad-key-file', message: expect.stringMatching(message) });
    expect(await readFile(path)).toEqual(Buffer.from(content));
    expect(await readdir(directory)).toEqual(['key.pem']);
  });

  it.each([
    ['a directory', () => mkdir(path, { mode: 0o700 })],
    [
      'a pipe, without waiting for a writer',
      () => execFileSync('/usr/bin/env', ['mkfifo', '-m', '600', path]),
    ],
    ['a link to nowhere', () => symlink(join(directory, 'nowhere'), path)],
  ])('%s', async (_, make) => {
    if (!posix) return;
    await make();
    await expect(loadIdentity(path)).rejects.toMatchObject({ code: 'bad-key-file' });
  });

  it('a place where nothing can be created', async () => {
    await expect(loadIdentity(join(directory, 'no', 'such', 'key.pem'))).rejects.toMatchObject({
      code: 'bad-key-file',
      message: expect.stringContaining('ENOENT'),
    });
    await expect(loadIdentity(`${path}\0`)).rejects.toMatchObject({ code: 'bad-key-file' });
    await writeFile(path, 'a file');
    await expect(loadIdentity(join(path, 'key.pem'))).rejects.toMatchObject({ code: 'bad-key-file' });
  });
});

describe('created by several at once', () => {
  it('in one process: all get one identity', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => loadIdentity(path)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(await readdir(directory)).toEqual(['key.pem']);
  });

  it('in two processes: both get the same of each', async () => {
    const count = 150;
    const keys = new URL('../../../src/identity/keys.ts', import.meta.url).href;
    const startAtMs = Date.now() + 2500;
    const program = `
      const { loadIdentity } = await import(${JSON.stringify(keys)});
      while (Date.now() < ${startAtMs});
      for (let i = 0; i < ${count}; i++) console.log((await loadIdentity(process.argv[1] + i)).id);`;
    const run = () =>
      promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, path]);
    const [one, other] = await Promise.all([run(), run()]);
    expect(one.stdout.trim().split('\n')).toHaveLength(count);
    expect(other.stdout).toBe(one.stdout);
    expect(await readdir(directory)).toHaveLength(count);
  });
});
