// The server killed without a word and started again: what nodes have among themselves goes on, and they come back by
// themselves (security.md, row 22). How fast thousands of them do is what `npm run bench -- load` measures.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createNode, type NodeOptions, type Pipe } from '../../src/index.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { metric } from './raw-client.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(port: number | string): Promise<{ child: ChildProcess; url: string; metrics: string }> {
  const args = ['--host', '127.0.0.1', '--port', String(port), '--stun-port', '0', '--json'];
  const child = spawn(process.execPath, [MAIN, 'server', ...args]);
  scope.defer(() => child.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { signalling, metrics } = JSON.parse(line);
  return { child, url: signalling, metrics };
}

describe('a server killed and started again', () => {
  it('open pipes live on, nodes register by themselves, and find each other anew', async () => {
    const first = await start(0);
    const options: NodeOptions = { servers: [first.url], host: '127.0.0.1', portMapping: false };
    const [alice, bob] = [
      scope.use(await createNode(options)),
      scope.use(await createNode({ ...options, listen: false })),
    ];
    await Promise.all([alice.ready(), bob.ready()]);
    const inbound = new Promise<Pipe>(resolve => bob.onPipe(resolve));
    const pipe = await alice.connect(bob.address, { strategies: ['reverse'] }); // which takes signalling
    const other = await inbound;
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    for (let i = 0; i < 20; i++) {
      await pipe.send(`message ${i}`);
      expect((await other.recv()).toString()).toBe(`message ${i}`);
      await other.send('back');
      expect((await pipe.recv()).toString()).toBe('back');
    }
    const second = await start(new URL(first.url).port);
    while ((await metric(second.metrics, 'wayleave_clients')) < 2) await systemClock.sleep(50);
    const again = await alice.connect(bob.address, { strategies: ['reverse'] });
    expect(again.route.strategy).toBe('reverse');
    await pipe.send('still here');
    expect((await other.recv()).toString()).toBe('still here');
  });
});
