// Idle pipes through NATs that soon forget (row 27): alive by heartbeats, whatever the way, and without them noticed to
// be dead. Seconds in `npm test`; with WAYLEAVE_SOAK=1 a NAT that forgets after 60 s, and half an hour.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirement } from '../requirements.js';
import { scaled } from '../soak/scale.js';
import { serverUrl, startServer } from './matrix/product.js';
import { type NatKind, natKind, withLifetime } from './nat-kinds.js';
import { builtProgram } from './world/agent-client.js';
import { createWorld, type Host, type LabProcess, type Site, type World } from './world.js';

const FORGETS_S = scaled(60, 3);
const HEARTBEAT_MS = scaled(10_000, 1_000);
const DEAD_MS = scaled(25_000, 6_000);
const IDLE_MS = scaled(30 * 60_000, 15_000);
const NEVER_MS = 3_600_000;
/** Time to connect in, which is not what this is about. */
const AT_FIRST_S = 300;

const describeLab = await requirement('lab');
const home = natKind('port-restricted-drop');
const open = natKind('open');
const random = natKind('symmetric-random');

interface Idle {
  readonly near: LabProcess;
  readonly far: LabProcess;
}

let world: World;
let server: Host;
beforeAll(async () => {
  world = await createWorld({ oneWayMs: 10 });
  server = world.publicHost('server', { addresses: 2 });
  await startServer(server);
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** A pipe of that strategy between two such places, where from now on connections are forgotten after so long. */
async function pipe(
  name: string,
  strategy: string,
  kinds: readonly [NatKind, NatKind],
  { forgetsS = FORGETS_S, heartbeatMs = HEARTBEAT_MS, deadMs = DEAD_MS } = {},
): Promise<Idle> {
  const [a, b] = kinds.map((kind, i) => world.site(`${name}-${'ab'[i]}`, withLifetime(kind, AT_FIRST_S)));
  const start = ({ host }: Site, ...more: string[]) => {
    const program = builtProgram('idle/idle-node');
    const args = [serverUrl(server, host), `${heartbeatMs}`, `${deadMs}`, ...more];
    return host.spawn('node', [program, ...args]);
  };
  const far = await start(b!);
  const { address } = await far.event<{ address: string }>('listening');
  const near = await start(a!, address, strategy);
  expect(await near.event('connected')).toMatchObject({ strategy });
  for (const { gateway } of [a!, b!]) {
    const setting = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
    await gateway.output('sh', ['-c', `echo ${forgetsS} > ${setting}`]);
  }
  await echo(near, 'at first');
  return { near, far };
}

async function echo(near: LabProcess, data: string): Promise<void> {
  near.write(`${data}\n`);
  await near.stdout.line(line => line.includes('"echoed"') && line.includes(data));
}

const ended = ({ near, far }: Idle, timeoutMs: number) =>
  Promise.all([near, far].map(end => end.event('closed', { timeoutMs })));

describeLab(`idle through NATs that forget after ${FORGETS_S} s`, () => {
  test.concurrent.each([
    ['direct', [home, open]],
    ['reverse', [open, home]],
    ['punch', [home, home]],
    ['relay', [random, random]],
  ] as const)('%s is alive after a long time', { timeout: IDLE_MS + 30_000 }, async (strategy, kinds) => {
    const { near, far } = await pipe(strategy, strategy, kinds);
    await sleep(IDLE_MS);
    await echo(near, 'at last');
    for (const { stdout } of [near, far]) expect(stdout.text).not.toContain('"closed"');
  });

  // Heard from at 0, and asked again when a NAT has forgotten but the verdict is not spoken yet.
  const asksMs = (FORGETS_S + 1) * 1_000;
  const deadMs = asksMs * 2;

  test.concurrent(
    'without heartbeats the pipe is gone, and both ends notice',
    async () => {
      const idle = await pipe('silent', 'direct', [home, open], { heartbeatMs: NEVER_MS, deadMs });
      await sleep(asksMs);
      idle.near.write('too late\n');
      for (const end of await ended(idle, deadMs * 1.5))
        expect(end).toMatchObject({ code: 'connection-lost' });
      expect(idle.near.stdout.text).not.toContain('too late');
    },
    deadMs * 2 + 20_000,
  );

  test.concurrent(
    'where nothing is forgotten, it is not',
    async () => {
      const patient = { heartbeatMs: NEVER_MS, deadMs, forgetsS: AT_FIRST_S };
      const { near } = await pipe('patient', 'direct', [home, open], patient);
      await sleep(asksMs);
      await echo(near, 'in time');
    },
    deadMs * 2 + 20_000,
  );
});
