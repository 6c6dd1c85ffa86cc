// Makes `npm run demo` and `npm test` work as the first command after a clone: installs and builds what
// is missing or out of date, says so on stderr, and is silent (and fast) when there is nothing to do.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`wayleave needs Node.js 20.19 or later; this is ${process.version}. See https://nodejs.org/`);
  process.exit(1);
}

const modifiedAt = path => (existsSync(path) ? statSync(path).mtimeMs : 0);

function newestSource(directory) {
  let newest = modifiedAt(directory); // a removed file changes only its directory's time
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (entry.name.endsWith('.ts')) newest = Math.max(newest, modifiedAt(path));
  }
  return newest;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error) console.error(`could not run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv.includes('--clean')) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  process.exit(0);
}

const installed = modifiedAt(join(root, 'node_modules', '.package-lock.json'));
if (
  installed < modifiedAt(join(root, 'package-lock.json')) ||
  installed < modifiedAt(join(root, 'package.json'))
) {
  console.error('wayleave: installing dependencies (npm ci) …');
  run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']);
}
if (process.argv.includes('--install-only')) process.exit(0);

const sources = ['src', 'signalling-server', 'test', 'bench', 'examples', 'scripts'];
const newest = Math.max(
  modifiedAt(join(root, 'tsconfig.json')),
  ...sources
    .map(name => join(root, name))
    .filter(existsSync)
    .map(newestSource),
);
const stamp = join(root, 'dist', '.tsbuildinfo');
if (modifiedAt(stamp) < newest) {
  console.error('wayleave: building (tsc) …');
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  // tsc leaves the stamp alone when nothing it emits has changed
  const { utimesSync } = await import('node:fs');
  utimesSync(stamp, new Date(), new Date());
}
