// A client whose network goes away in the middle: no FIN, no reset, nobody answers (security.md, row 17). Shown between
// network namespaces, where a cable can be pulled.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLI } from '../lab/matrix/product.js';
import { createWorld, type Host, type World } from '../lab/world.js';
import { requirement } from '../requirements.js';

const describeLab = await requirement('lab');

let world: World;
let server: Host;
let url: string;
let metricsUrl: string;
beforeAll(async () => {
  world = await createWorld();
  server = world.publicHost('server');
  const limits = ['--ping-every-ms', '500', '--silence-limit-ms', '2000'];
  const running = await server.spawn('node', [CLI, 'server', '--json', '--host', server.address, ...limits]);
  const listening = await running.event<{ signalling: string; metrics: string }>('listening');
  url = listening.signalling;
  metricsUrl = listening.metrics;
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function metric(name: string): Promise<number> {
  const script = 'process.stdout.write(await (await fetch(process.argv[1])).text())';
  const text = await server.output('node', ['--input-type=module', '--eval', script, metricsUrl]);
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );
}

async function until(name: string, value: number): Promise<void> {
  while ((await metric(name)) !== value) await sleep(100);
}

describeLab('a client that vanishes from the network', () => {
  test('is noticed, dropped and forgotten, its socket too; the other client stays', async () => {
    const [here, gone] = [world.publicHost('here'), world.publicHost('gone')];
    const node = ['node', '--server', url, '--no-port-mapping', '--json'];
    const staying = await here.spawn('node', [CLI, ...node]);
    const vanishing = await gone.spawn('node', [CLI, ...node]);
    await Promise.all([staying.event('listening'), vanishing.event('listening')]);
    await until('wayleave_clients', 2);
    const links = await gone.output('ip', ['-json', 'link']);
    const names = (JSON.parse(links) as { ifname: string }[])
      .map(({ ifname }) => ifname)
      .filter(name => name !== 'lo');
    for (const name of names) await gone.output('ip', ['link', 'set', name, 'down']);
    await until('wayleave_clients', 1);
    expect(await metric('wayleave_connections_cut_total{reason="silent"}')).toBe(1);
    expect(await metric('wayleave_bans_active')).toBe(0);
    await until('wayleave_sockets', 2); // who stays, and who asks
    expect(staying.running).toBe(true);
    expect(await metric('wayleave_registrations_total')).toBe(2);
  });
});
