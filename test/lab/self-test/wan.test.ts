// The WAN measured from inside with ping and plain sockets: it does to packets what it is told, while it runs.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { burstyLoss, PERFECT_LINK } from '../wan/link-model.js';
import { createWorld, type Host, type World } from '../world.js';

const describeLab = await requirement('lab');

describeLab('the WAN, measured from inside', () => {
  let world: World;
  let here: Host;
  let there: Host;

  beforeAll(async () => {
    world = await createWorld({ seed: 3 });
    here = world.publicHost('here');
    there = world.publicHost('there');
    await world.build();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  interface Pings {
    readonly received: readonly number[];
    readonly timesMs: readonly number[];
    readonly duplicates: number;
  }
  async function ping(count: number, intervalMs = 5, extra: readonly string[] = []): Promise<Pings> {
    const args = [
      '-n',
      '-c',
      String(count),
      '-i',
      String(intervalMs / 1000),
      '-W',
      '1',
      ...extra,
      there.address,
    ];
    const { stdout } = await here.run('ping', args);
    const lines = [...stdout.matchAll(/icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms( \(DUP!\))?/g)];
    return {
      received: lines.map(line => Number(line[1])),
      timesMs: lines.map(line => Number(line[2])),
      duplicates: lines.filter(line => line[3]).length,
    };
  }

  for (const oneWayMs of [0, 5, 20.5, 80]) {
    test(`${oneWayMs} ms one way make ${2 * oneWayMs} ms there and back`, async () => {
      await world.wan.set('all', { ...PERFECT_LINK, delayMs: oneWayMs / 2 });
      const { timesMs, received } = await ping(40);
      expect(received).toHaveLength(40);
      const best = Math.min(...timesMs); // the others share the machine with whatever else runs
      expect(best).toBeGreaterThanOrEqual(2 * oneWayMs - 0.2);
      expect(best).toBeLessThan(2 * oneWayMs + 5);
    });
  }

  test('uniform loss is about what was asked', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.set(['here'], { loss: 0.1 });
    const { received } = await ping(600, 2);
    const survived = received.length / 600; // there and back: 0.9 squared
    expect(Math.abs(survived - 0.81)).toBeLessThan(0.07);
  });

  test('bursty loss comes in bursts', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.set(['here'], { burst: burstyLoss(0.1, 10) });
    const { received } = await ping(600, 2);
    const gaps = received.slice(1).map((sequence, i) => sequence - received[i]! - 1);
    const lost = gaps.reduce((sum, gap) => sum + gap, 0);
    expect(lost).toBeGreaterThan(20);
    expect(lost / gaps.filter(gap => gap > 0).length).toBeGreaterThan(4);
  });

  test('jitter spreads, without changing the order', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.set(['there'], { delayMs: 5, jitterMs: 20 });
    const { timesMs, received } = await ping(100, 3);
    expect(Math.max(...timesMs) - Math.min(...timesMs)).toBeGreaterThan(8);
    expect(received).toEqual([...received].sort((a, b) => a - b));
  });

  test('reordering changes the order and loses nothing', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.set(['there'], { reorder: 0.2, reorderMs: 20 });
    const { received } = await ping(200, 2);
    expect(received).toHaveLength(200);
    expect(received).not.toEqual([...received].sort((a, b) => a - b));
  });

  test('a capped link takes its time', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.set(['there'], { rateKbps: 500, queueMs: 1000 });
    // 40 pings of about 1 kB at once are 0.33 Mbit: two thirds of a second at this rate, each way.
    const { timesMs } = await ping(40, 0, ['-s', '1000', '-l', '40']);
    expect(Math.max(...timesMs)).toBeGreaterThan(600);
  });

  test('a partition cuts, and healing mends', async () => {
    await world.wan.set('all', PERFECT_LINK);
    await world.wan.partition(['there']);
    expect((await ping(3)).received).toHaveLength(0);
    await world.wan.partition();
    expect((await ping(3)).received).toHaveLength(3);
  });

  test('it counts what it did', async () => {
    const before = await world.wan.count();
    await ping(5);
    const after = await world.wan.count();
    expect(after.delivered - before.delivered).toBe(10);
    expect(after.lost).toBe(before.lost);
  });
});
