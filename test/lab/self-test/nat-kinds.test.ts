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
const SILENCE_MS = 700;

const kinds = Object.entries<NatKind>(NAT_KINDS).filter(([, kind]) => !kind.portMapping || !noMiniupnpd);
const rows = kinds.flatMap(([name, kind]) =>
  ([4, 6] as const).flatMap(family => {
    const expected = kind.profile[family];
    return expected ? [{ name, kind, family, expected }] : [];
  }),
);

describeLab('NAT kinds, measured with plain sockets', () => {
  let world: World;
  const found = new Map<(typeof rows)[number], { tcp: Measured; udp: Measured }>();

  beforeAll(async () => {
    world = await createWorld({ oneWayMs: 5 });
    const server = world.publicHost('observer', { addresses: 2 });
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

  test('the short-lived kind has its lifetime set on the gateway', async () => {
    const key = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
    const site = world.site('another', 'short-lived');
    expect(await site.gateway.output('cat', [key])).toBe('60\n');
  });
});

const addressesOf = (host: Host, family: Family) => (family === 4 ? host.ipv4 : host.ipv6);
