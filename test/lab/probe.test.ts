// The probe against real kernel NATs: for every row of the laboratory's table it must find what the row says,
// at 20 ms one way. WAYLEAVE_PROBE_RUNS=20 runs each kind twenty times (default: once), WAYLEAVE_PROBE_ONLY=a,b
// only these kinds.
import { afterAll, describe, expect, test } from 'vitest';
import type { ProbeResult } from '../../src/nat/probe.js';
import { requirement } from '../requirements.js';
import { NAT_KINDS, type NatKind, type NatKindName, symmetricSequential } from './nat-kinds.js';
import { judge, type Verdict } from './probe/expectation.js';
import { builtProgram } from './world/agent-client.js';
import { createWorld, type World } from './world.js';

const RUNS = Number(process.env.WAYLEAVE_PROBE_RUNS ?? 1);
const ONLY = process.env.WAYLEAVE_PROBE_ONLY?.split(',');
const AT_ONCE = 3;

const EVERYTHING_BLOCKED: NatKind = {
  ...(NAT_KINDS['udp-blocked'] as NatKind),
  rfc4787: 'nothing gets out',
  nftables: external =>
    NAT_KINDS['udp-blocked'].nftables(external).replace(/iifname lan0 meta l4proto != udp accept/, ''),
  profile: { 4: { udp: { kind: 'blocked' }, tcp: { kind: 'blocked' } } },
};

const KINDS: Record<string, NatKind> = {
  ...(NAT_KINDS as Record<NatKindName, NatKind>),
  'symmetric-down-3': symmetricSequential(-3),
  'everything-blocked': EVERYTHING_BLOCKED,
};
// To our server's ports nothing gets out there, which is what the probe must say.
KINDS['web-only'] = {
  ...NAT_KINDS['web-only'],
  profile: { 4: { udp: { kind: 'blocked' }, tcp: { kind: 'blocked' } } },
};

const NAMES = Object.keys(KINDS).filter(name => !ONLY || ONLY.includes(name));

interface Run {
  readonly ms: number;
  readonly result: ProbeResult;
}

async function probeAll(
  world: World,
  kinds: readonly string[],
  runs: number,
): Promise<Map<string, readonly Run[]>> {
  const server = world.publicHost('server', { addresses: 2 });
  const sites = kinds.map(name => ({ name, site: world.site(name, KINDS[name]!) }));
  const responder = await server.spawn('node', [
    builtProgram('probe/stun-server'),
    '3478',
    ...server.ipv4,
    ...server.ipv6,
  ]);
  await responder.event('listening');
  const results = new Map<string, readonly Run[]>();
  const next = async (): Promise<void> => {
    const entry = sites.shift();
    if (!entry) return;
    const args = [builtProgram('probe/prober'), String(runs), '3478', server.ipv4[0]!, server.ipv6[0]!];
    const probed = async (): Promise<readonly Run[]> =>
      (await entry.site.host.output('node', args))
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Run);
    let all = await probed();
    // On a busy machine answers may come too late to be counted. A word that is missing may be sought once
    // more, where one run is all there is; a wrong one may not.
    if (runs === 1 && onlyMissing(KINDS[entry.name]!, all[0]!)) all = await probed();
    results.set(entry.name, all);
    await next();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return results;
}

/** Every interface's verdicts, with the confidence that the probe had. */
function verdictsOf(kind: NatKind, { result }: Run): (Verdict & { confidence: number; where: string })[] {
  return ([4, 6] as const).flatMap(family => {
    const expected = kind.profile[family];
    if (!expected) return [];
    const measured = result.interfaces.find(each => each.family === family);
    if (!measured) return [{ wrong: [`no IPv${family}`], missing: [], confidence: 1, where: `IPv${family}` }];
    return (['udp', 'tcp'] as const).map(transport => ({
      ...judge(expected[transport], measured[transport]),
      confidence: measured[transport].confidence,
      where: `IPv${family} ${transport}`,
    }));
  });
}

function onlyMissing(kind: NatKind, run: Run): boolean {
  const verdicts = verdictsOf(kind, run);
  return (
    verdicts.every(({ wrong }) => wrong.length === 0) && verdicts.some(({ missing }) => missing.length > 0)
  );
}

const table: Record<string, { runs: number; right: number; msMedian: number; msMax: number }> = {};

function note(title: string, kind: NatKind, runs: readonly Run[]): void {
  const right = runs.filter(run =>
    verdictsOf(kind, run).every(({ wrong, missing }) => wrong.length + missing.length === 0),
  );
  const ms = runs.map(run => run.ms).sort((a, b) => a - b);
  table[title] = { runs: runs.length, right: right.length, msMedian: ms[ms.length >> 1]!, msMax: ms.at(-1)! };
}

afterAll(() => {
  if (Object.keys(table).length > 0) console.table(table);
});

const describeLab = await requirement('lab');

describeLab(`the probe, ${RUNS} run(s) of each kind at 20 ms one way`, () => {
  let results: Promise<Map<string, readonly Run[]>> | undefined;
  const all = () =>
    (results ??= (async () => {
      await using world = await createWorld({ oneWayMs: 20 });
      return await probeAll(world, NAMES, RUNS); // the world must outlive its probes
    })());

  test.each(NAMES)('%s is found to be what it is', { timeout: 60_000 + RUNS * 30_000 }, async name => {
    const runs = (await all()).get(name)!;
    note(name, KINDS[name]!, runs);
    expect(runs).toHaveLength(RUNS);
    for (const run of runs) {
      for (const { where, wrong, missing } of verdictsOf(KINDS[name]!, run)) {
        expect({ where, wrong, missing }, JSON.stringify(run)).toEqual({ where, wrong: [], missing: [] });
      }
    }
  });
});

describeLab('the life of idle UDP mappings', () => {
  test('is found between two delays', { timeout: 60_000 }, async () => {
    const forgetful: NatKind = {
      ...(NAT_KINDS['port-restricted-drop'] as NatKind),
      sysctls: {
        'net.netfilter.nf_conntrack_udp_timeout': '4',
        'net.netfilter.nf_conntrack_udp_timeout_stream': '4',
      },
    };
    await using world = await createWorld({ oneWayMs: 20 });
    const server = world.publicHost('server', { addresses: 2 });
    const { host } = world.site('home', forgetful);
    const responder = await server.spawn('node', [builtProgram('probe/stun-server'), '3478', ...server.ipv4]);
    await responder.event('listening');
    const args = [builtProgram('probe/lifetime'), host.address, server.address, '1', '2', '7', '9'];
    expect(JSON.parse(await host.output('node', args))).toEqual({ atLeastS: 2, lessThanS: 7 });
  });
});

describe.each([0.05, 0.2])('the probe, with loss of %d', loss => {
  const LOSSY = [
    'open',
    'full-cone',
    'address-restricted',
    'port-restricted-drop',
    'port-restricted-reset',
    'symmetric-random',
    'symmetric-up',
    'udp-blocked',
    'ipv6-firewall',
  ];

  describeLab('is never wrong with confidence', () => {
    test('over 0.5', { timeout: 120_000 + RUNS * 60_000 }, async () => {
      await using world = await createWorld({ oneWayMs: 20, loss, seed: Math.round(loss * 100) });
      const results = await probeAll(world, LOSSY, RUNS);
      for (const [name, runs] of results) {
        note(`${name}, loss ${loss}`, KINDS[name]!, runs);
        for (const run of runs) {
          const sure = verdictsOf(KINDS[name]!, run).filter(({ confidence }) => confidence > 0.5);
          const wrong = sure.flatMap(({ where, wrong }) => wrong.map(word => `${name} ${where} ${word}`));
          expect(wrong, JSON.stringify(run)).toEqual([]);
        }
      }
    });
  });
});
