// What a probe sees from places where more than one NAT decides, or where a network lets out little: what the strategies
// rule out by.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProbeResult } from '../../src/nat/probe.js';
import type { Behaviour } from '../../src/nat/profile.js';
import { requirement } from '../requirements.js';
import { type NatKindName, natKind } from './nat-kinds.js';
import { NEIGHBOURHOODS, type NeighbourhoodName } from './neighbourhoods.js';
import { builtProgram } from './world/agent-client.js';
import { createWorld, type Host, type World } from './world.js';

const PORT = '80'; // where everybody gets to
const KINDS: readonly NatKindName[] = ['web-only', 'udp-blocked', 'port-restricted-drop'];
const PLACES: readonly NeighbourhoodName[] = ['same-carrier', 'same-carrier-hairpin'];

const describeLab = await requirement('lab');

describeLab('a probe', () => {
  let world: World;
  let server: Host;
  const hosts = new Map<string, Host>();
  beforeAll(async () => {
    world = await createWorld({ oneWayMs: 20 });
    server = world.publicHost('server', { addresses: 2 });
    for (const kind of KINDS) hosts.set(kind, world.site(kind, natKind(kind)).host);
    for (const place of PLACES) hosts.set(place, NEIGHBOURHOODS[place].build(world, place).hosts[0]);
    const program = [builtProgram('probe/stun-server'), PORT, ...server.ipv4];
    await (await server.spawn('node', program)).event('listening');
  }, 60_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  async function tcpAt(place: string): Promise<Behaviour> {
    const program = [builtProgram('probe/prober'), '1', PORT, server.address];
    const { result } = JSON.parse(await hosts.get(place)!.output('node', program)) as { result: ProbeResult };
    return result.interfaces.find(({ family }) => family === 4)!.tcp;
  }

  describe('of a server at a port of the web', () => {
    test.each<[NatKindName, Behaviour['egress']]>([
      ['web-only', 'web-only'],
      ['udp-blocked', 'everything'],
      ['port-restricted-drop', 'everything'],
    ])('sees in %s that TCP gets out to: %s', { timeout: 30_000 }, async (kind, egress) => {
      expect(await tcpAt(kind)).toMatchObject({ kind: 'nat', egress });
    });
  });

  describe('from a home behind a carrier’s NAT', () => {
    test.each<[NeighbourhoodName, boolean]>([
      ['same-carrier-hairpin', true],
      ['same-carrier', false],
    ])(
      '%s: sees through its own whether that one hairpins: %s',
      { timeout: 30_000 },
      async (place, hairpinning) => {
        expect(await tcpAt(place)).toMatchObject({ kind: 'nat', hairpinning });
      },
    );
  });
});
