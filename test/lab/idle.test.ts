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

const FORGETS_S = scaled(60, 5);
const HEARTBEAT_MS = scaled(10_000, 1_000);
const DEAD_MS = scaled(25_000, 10_000);
const IDLE_MS = scaled(30 * 60_000, 15_000);
const NEVER_MS = 3_600_000;
/** Time to connect in, which is not what this is about. */
const AT_FIRST_S = 300;
const PATIENCE = { timeoutMs: 60_000 };

const describeLab = await requirement('lab');
const home = natKind('port-restricted-drop');
const open = natKind('open');
const random = natKind('symmetric-random');

const WAYS = [
  ['direct', [home, open]],
  ['reverse', [open, home]],
  ['punch', [home, home]],
  ['relay', [random, random]],
] as const;

interface Idle {
  readonly near: LabProcess;
  readonly far: LabProcess;
  /** From now on connections are forgotten after so long. */
  forget(seconds: number): Promise<void>;
}

let world: World;
let server: Host;
const pipes = new Map<string, Idle>();
/** A pipe of that strategy between two such places. */
async function pipe(
  name: string,
  strategy: string,
  kinds: readonly [NatKind, NatKind],
  { heartbeatMs = HEARTBEAT_MS, deadMs = DEAD_MS } = {},
): Promise<Idle> {
  const [a, b] = kinds.map((kind, i) => world.site(`${name}-${'ab'[i]}`, withLifetime(kind, AT_FIRST_S)));
  const start = ({ host }: Site, ...more: string[]) => {
    const program = builtProgram('idle/idle-node');
    const args = [serverUrl(server, host), `${heartbeatMs}`, `${deadMs}`, ...more];
    return host.spawn('node', [program, ...args]);
  };
  const far = await start(b!);
  const { address } = await far.event<{ address: string }>('listening', PATIENCE);
  const near = await start(a!, address, strategy);
  expect(await near.event('connected', PATIENCE)).toMatchObject({ strategy });
  const forget = async (seconds: number) => {
    for (const { gateway } of [a!, b!]) {
      const setting = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
      await gateway.output('sh', ['-c', `echo ${seconds} > ${setting}`]);
    }
    await echo(near, 'at first'); // a connection's time is set when something passes
  };
  return { near, far, forget };
}

async function echo(near: LabProcess, data: string): Promise<void> {
  near.write(`${data}\n`);
  await near.stdout.line(line => line.includes('"echoed"') && line.includes(data));
}

const ended = ({ near, far }: Idle, timeoutMs: number) =>
  Promise.all([near, far].map(end => end.event('closed', { timeoutMs })));

describeLab(`idle through NATs that forget after ${FORGETS_S} s`, () => {
  beforeAll(async () => {
    world = await createWorld({ oneWayMs: 10 });
    server = world.publicHost('server', { addresses: 2 });
    await startServer(server);
    for (const [strategy, kinds] of WAYS) pipes.set(strategy, await pipe(strategy, strategy, kinds));
  }, 240_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  test.concurrent.each(WAYS)(
    '%s is alive after a long time',
    { timeout: IDLE_MS + 30_000 },
    async strategy => {
      const { near, far, forget } = pipes.get(strategy)!;
      await forget(FORGETS_S);
      await sleep(IDLE_MS);
      await echo(near, 'at last');
      for (const { stdout } of [near, far]) expect(stdout.text).not.toContain('"closed"');
    },
  );

  // Heard from at 0, and asked again when a NAT has forgotten but the verdict is not spoken yet.
  const asksMs = (FORGETS_S + 1) * 1_000;
  const deadMs = asksMs * 2;
  const silent = { heartbeatMs: NEVER_MS, deadMs };

  test.concurrent(
    'without heartbeats the pipe is gone, and both ends notice',
    async () => {
      const idle = await pipe('silent', 'direct', [home, open], silent);
      await idle.forget(FORGETS_S);
      await sleep(asksMs);
      idle.near.write('too late\n');
      for (const end of await ended(idle, deadMs * 1.5))
        expect(end).toMatchObject({ code: 'connection-lost' });
      expect(idle.near.stdout.text).not.toContain('too late');
    },
    deadMs * 2 + 60_000,
  );

  test.concurrent(
    'where nothing is forgotten, it is not',
    async () => {
      const { near } = await pipe('patient', 'direct', [home, open], silent);
      await echo(near, 'at first');
      await sleep(asksMs);
      await echo(near, 'in time');
    },
    deadMs * 2 + 60_000,
  );
});
