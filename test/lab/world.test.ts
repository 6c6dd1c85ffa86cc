// Worlds: what they are made of reaches what it should, they build fast enough, and they end without a trace.
import { test } from 'vitest';
import { requirement } from '../requirements.js';
import { createWorld } from './world.js';

const describeLab = await requirement('lab');

describeLab('a world', () => {
  test('hosts of every family and depth reach the public host', async () => {
    await using world = await createWorld();
    const server = world.publicHost('server', { addresses: 2 });
    const v4 = [
      world.site('open', 'open'),
      world.site('home', 'port-restricted-drop', { hosts: 2 }),
      world.site('carried', 'double-nat'),
    ];
    const v6 = [world.site('six', 'ipv6-firewall'), world.site('both', 'dual-stack')];
    const ping = (address: string) => ['-c1', '-W2', address];
    for (const site of v4)
      for (const host of site.hosts)
        for (const address of server.ipv4) await host.output('ping', ping(address));
    for (const site of v6) for (const address of server.ipv6) await site.host.output('ping', ping(address));
    await v6[1]!.host.output('ping', ping(server.address));
    await v4[1]!.hosts[0]!.output('ping', ping(v4[1]!.hosts[1]!.address));
  });
});
