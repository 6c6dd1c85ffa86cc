// Whole connects that are given up at a random moment, hole punching among them, behind two kernel NATs: neither node may
// keep a socket, a timer or a listener. WAYLEAVE_CANCEL_RUNS=1000 does it a thousand times (default: 100).
import { expect, test } from 'vitest';
import { requirement } from '../requirements.js';
import type { Held } from './cancel/held.js';
import type { NatKindName } from './nat-kinds.js';
import { builtProgram } from './world/agent-client.js';
import { createWorld } from './world.js';

const RUNS = Number(process.env.WAYLEAVE_CANCEL_RUNS ?? 100);
/** So short a way makes a punched connect one of some 60 ms. */
const ONE_WAY_MS = 5;
const LONGEST_MS = 100;
const KIND: NatKindName = 'port-restricted-drop';

interface Both {
  readonly ours: Held;
  readonly theirs: Held;
}

interface Result {
  readonly outcomes: Record<string, number>;
  readonly listenersLeft: number;
  readonly before: Both;
  readonly after: Both;
  readonly warnings: readonly string[];
}

const describeLab = await requirement('lab');

describeLab('cancelling', () => {
  test(`${RUNS} connects with a cancel at a random moment leave nothing behind, on either side`, {
    timeout: 90_000 + RUNS * 300,
  }, async () => {
    await using world = await createWorld({ oneWayMs: ONE_WAY_MS });
    const server = world.publicHost('server', { addresses: 2 });
    const [alice, bob] = [world.site('alice', KIND).host, world.site('bob', KIND).host];
    const url = `ws://${server.address}:443`;
    const program = (name: string) => ['--expose-gc', builtProgram(`cancel/${name}`)];
    await (await server.spawn('node', [...program('server'), ...server.ipv4])).event('listening');
    const callee = await bob.spawn('node', [...program('callee'), url]);
    const { address } = await callee.event<{ address: string }>('listening', { timeoutMs: 20_000 });
    const args = [...program('caller'), url, address, String(RUNS), String(LONGEST_MS)];
    const caller = await alice.spawn('node', args);
    const result = await caller.event<Result>('done', { timeoutMs: 80_000 + RUNS * 300 });
    const { outcomes, before, after } = result;
    process.stdout.write(`${JSON.stringify({ outcomes, before, after })}\n`);
    expect(result).toMatchObject({ listenersLeft: 0, warnings: [] });
    for (const side of ['ours', 'theirs'] as const) {
      expect(after[side].sockets, side).toBeLessThanOrEqual(before[side].sockets);
      expect(after[side].timers, side).toBeLessThanOrEqual(before[side].timers);
      expect(after[side].listeners, side).toBeLessThanOrEqual(before[side].listeners);
    }
    // both ends of the range are covered
    expect(outcomes.punch).toBeGreaterThan(RUNS / 20);
    expect(outcomes.aborted).toBeGreaterThan(RUNS / 20);
    expect(callee.running).toBe(true);
  });
});
