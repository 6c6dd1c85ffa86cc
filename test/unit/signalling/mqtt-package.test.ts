// The `mqtt` package is optional: loaded when a broker is named and not before, missed in words that say what to do.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { createNode } from '../../../src/index.js';
import { createSignalling } from '../../../src/signalling/signalling.js';

vi.mock('mqtt', () => {
  throw Object.assign(new Error("Cannot find package 'mqtt'"), { code: 'ERR_MODULE_NOT_FOUND' });
});

describe('without the package', () => {
  it.each(['mqtt://127.0.0.1:1', 'mqtts://broker.example', 'wss://broker.example/mqtt'])(
    'a node that names %s does not start, and says what to install',
    async url => {
      const starting = createNode({ servers: [url], portMapping: false });
      await expect(starting).rejects.toMatchObject({ code: 'missing-package' });
      await expect(starting).rejects.toThrow('install the package mqtt');
    },
  );

  it('a node that names none starts, and cannot use a peer’s broker', async () => {
    await using node = await createNode({ host: '127.0.0.1', portMapping: false });
    expect(node.id).toBeDefined();
    await using signalling = createSignalling({ identity: createIdentity(), servers: [] });
    using lease = signalling.open('mqtt://broker.example');
    await expect(lease.channel.ready()).rejects.toMatchObject({ code: 'missing-package' });
  });
});

it('`import "wayleave"` does not load it; a broker does', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const program = `
    import { createRequire } from 'node:module';
    const { createNode } = await import('./dist/src/index.js');
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some(path => path.includes('/node_modules/mqtt/'));
    const before = loaded();
    const node = await createNode({ servers: ['mqtt://127.0.0.1:1'], host: '127.0.0.1', portMapping: false });
    await node.close();
    console.log(before, loaded());`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root });
  expect(printed.toString().trim()).toBe('false true');
});
