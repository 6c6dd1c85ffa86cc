// The laboratory measured with plain sockets, none of the product: every NAT kind does what its row says.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Family } from '../../../src/net/ip-scope.js';
import { requirement, whatIsMissing } from '../../requirements.js';
import { NAT_KINDS, type NatKind } from '../nat-kinds.js';
import { createWorld, type Host, type World } from '../world.js';
import { type Measured, measure, OBSERVER_PORTS } from './measure.js';
import { Prober } from './prober-client.js';

const describeLab = await requirement('lab');
const noMiniupnpd = await whatIsMissing('miniupnpd');
const AT_A_TIME = 8; // measurements beside each other: they mostly wait
const SILENCE_MS = 1000;

const kinds = Object.entries<NatKind>(NAT_KINDS).filter(([, kind]) => !kind.portMapping || !noMiniupnpd);
const rows = kinds.flatMap(([name, kind]) =>
  ([4, 6] as const).flatMap(family => {
    const expected = kind.profile[family];
    return expected ? [{ name, kind, family, expected }] : [];
  }),
);

describeLab('NAT kinds, measured with plain sockets', () => {
  let world: World;
  let observerAddress: string;
  const found = new Map<(typeof rows)[number], { tcp: Measured; udp: Measured }>();

  beforeAll(async () => {
    world = await createWorld({ oneWayMs: 5 });
    const server = world.publicHost('observer', { addresses: 2 });
    observerAddress = server.address;
    const sites = new Map(kinds.map(([name, kind]) => [name, world.site(name, kind)]));
    await world.build();
    const observer = await Prober.start(server);
    for (const host of [...server.ipv4, ...server.ipv6])
      for (const port of OBSERVER_PORTS)
        for (const transport of ['tcp', 'udp'] as const)
          await observer.ask({ do: 'listen', transport, at: { host, port } });

    const measureRow = async (row: (typeof rows)[number]) => {
      const { host } = sites.get(row.name)!;
      const setting = {
        subject: await Prober.start(host),
        inside: addressesOf(host, row.family)[0]!,
        observer,
        observerAddresses: addressesOf(server, row.family) as [string, string],
        silenceMs: SILENCE_MS,
      };
      const [tcp, udp] = await Promise.all([measure(setting, 'tcp'), measure(setting, 'udp')]);
      found.set(row, { tcp, udp });
    };
    const waiting = [...rows];
    const worker = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) await measureRow(row);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  }, 60_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  for (const row of rows) {
    test(`${row.name}, IPv${row.family}: ${row.kind.rfc4787}`, () => {
      expect(found.get(row)).toMatchObject({ ...row.expected });
    });
  }

  test('two hosts behind one NAT meet at its outside only if it hairpins', async () => {
    const meet = async (kind: 'port-restricted-drop' | 'hairpin', transport: 'tcp' | 'udp') => {
      const { hosts } = world.site(`two-${kind}-${transport}`, kind, { hosts: 2 });
      const [one, two] = [await Prober.start(hosts[0]!), await Prober.start(hosts[1]!)];
      const mapped = { host: hosts[0]!.address, port: 22_000 };
      const { seenAs } = await one.reach(transport, mapped, { host: observerAddress, port: 80 }, 2500);
      if (transport === 'tcp') await one.ask({ do: 'listen', transport, at: mapped });
      const from = { host: hosts[1]!.address, port: 23_000 };
      return (await two.reach(transport, from, seenAs!, kind === 'hairpin' ? 2500 : SILENCE_MS)).outcome;
    };
    for (const transport of ['tcp', 'udp'] as const) {
      expect(await meet('hairpin', transport)).toBe('open');
      expect(await meet('port-restricted-drop', transport)).toBe('timeout');
    }
  });

  test('the short-lived kind has its lifetime set on the gateway', async () => {
    const key = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
    const site = world.site('another', 'short-lived');
    expect(await site.gateway.output('cat', [key])).toBe('60\n');
  });
});

const addressesOf = (host: Host, family: Family) => (family === 4 ? host.ipv4 : host.ipv6);
