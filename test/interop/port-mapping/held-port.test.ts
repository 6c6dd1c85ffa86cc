// Behind a full cone, with no gateway protocol at all: a port held open by a connection to the server is reached
// by strangers, also after that connection broke. Where the NAT filters, nothing is published.
import { expect, test, vi } from 'vitest';
import { startServer as serve } from '../../lab/matrix/product.js';
import type { NatKindName } from '../../lab/nat-kinds.js';
import { createWorld, type Host, type LabProcess, type World } from '../../lab/world.js';
import { requirement } from '../../requirements.js';
import { builtProgram, reachFrom, until } from './gateway-world.js';
import { connectDirect, startEcho, terminate, waysOf } from './whole-product.js';

const describeLab = await requirement('lab');
vi.setConfig({ testTimeout: 90_000 });

interface Scene {
  readonly server: Host;
  readonly stranger: Host;
  readonly home: Host;
  readonly startServer: () => Promise<LabProcess>;
  readonly startNode: () => Promise<LabProcess>;
}

function scene(world: World, kind: NatKindName): Scene {
  const server = world.publicHost('server', { addresses: 2 });
  const stranger = world.publicHost('stranger');
  const { host: home } = world.site('home', kind);
  const [main = '', alternate = ''] = server.ipv4;
  const cli = ['dist/src/cli/main.js', 'server', '--json', '--host', main, '--alternate-host', alternate];
  return {
    server,
    stranger,
    home,
    async startServer() {
      const process = await server.spawn('node', [...cli, '--stun-port', '3478']);
      await process.event('listening');
      return process;
    },
    startNode: () =>
      home.spawn('node', [builtProgram('held-port-process'), 'home', home.address, `${main}:3478`]),
  };
}

interface Held {
  external: { host: string; port: number };
}

describeLab('a held port', () => {
  test('behind a full cone is reached by strangers, also after its connection was cut, until close', async () => {
    await using world = await createWorld();
    const { stranger, startServer, startNode } = scene(world, 'full-cone');
    const server = await startServer();
    const node = await startNode();
    const { external } = await node.event<Held>('held');
    expect(await reachFrom(stranger, external)).toBe('home');

    server.kill('SIGKILL');
    await server.exited;
    await node.event('lost');
    await startServer();
    const heldAgain = () =>
      node.stdout.lines.filter(line => line.includes('"held"')).map(line => JSON.parse(line) as Held)[1];
    await until(() => heldAgain() !== undefined, 30_000);
    expect(await reachFrom(stranger, heldAgain()!.external)).toBe('home');

    node.kill('SIGTERM');
    await node.event('closed');
    expect(await reachFrom(stranger, heldAgain()!.external)).toBeUndefined();
  });

  test('lets a whole node be reached by direct, also after its connection was cut', async () => {
    await using world = await createWorld();
    const { server, stranger, home } = scene(world, 'full-cone');
    const serving = await serve(server);
    const node = await startEcho(home, server);
    const held = () => waysOf(node).find(({ mapping }) => mapping?.by === 'held');
    expect(held()).toMatchObject({ mapping: { proved: true } });
    expect(await connectDirect(stranger, node)).toMatchObject({
      strategy: 'direct',
      remote: held()!.external,
      echo: 'hello',
    });

    serving.kill('SIGKILL');
    await serving.exited;
    await until(() => held() === undefined, 30_000);
    await serve(server);
    await until(() => held() !== undefined, 40_000);
    expect(await connectDirect(stranger, node)).toMatchObject({
      strategy: 'direct',
      remote: held()!.external,
    });
    expect(await terminate(node)).toBe(0);
  });

  for (const kind of ['port-restricted-drop', 'address-restricted', 'symmetric-random'] as const)
    test(`behind ${kind} is none`, async () => {
      await using world = await createWorld();
      const { startServer, startNode } = scene(world, kind);
      await startServer();
      const node = await startNode();
      expect(await node.event('failed')).toMatchObject({
        reason: 'the NAT lets no strangers in, or the server could not try',
      });
      expect(node.stdout.text).not.toContain('"held"');
    });
});
