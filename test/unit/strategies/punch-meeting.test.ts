// Punch programs on real sockets: both sides on loopback addresses of their own, where one listens as a NAT that lets
// its peer in would have it. What must hold: they meet, strangers do not, SYNs are bounded, nothing stays behind.
import { getEventListeners } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { systemClock } from '../../../src/net/clock.js';
import { type Meeting, meet } from '../../../src/strategies/punch-meeting.js';
import type { Dial, Program } from '../../../src/strategies/punch-plan.js';
import type { PunchPort } from '../../../src/strategies/punch-port.js';
import { PunchRun } from '../../../src/strategies/punch-run.js';
import type { Link } from '../../../src/strategies/strategy.js';
import { freePort } from '../../free-port.js';

const [alice, bob, carol] = [createIdentity(), createIdentity(), createIdentity()];
const ALICE = '127.0.0.2';
const BOB = '127.0.0.3';

const never = new AbortController().signal;
const program = (dials: Dial[], listens = false): Program => ({ delayMs: 0, dials, listens });

/** Alice initiates and listens on her punch port after her dial; Bob dials it. */
async function pair(more: Partial<Meeting> = {}): Promise<[Meeting, Meeting]> {
  const [alicePort, bobPort] = [await freePort(1, [ALICE]), await freePort(1, [BOB])];
  const common = { id: 'attempt', clock: systemClock, allowance: { left: 750 }, round: never, whole: never };
  const port = (localAddress: string, number: number) => ({ localAddress, port: number }) as PunchPort;
  return [
    {
      ...common,
      role: 'initiator',
      identity: alice,
      peerId: bob.id,
      peerHost: BOB,
      port: port(ALICE, alicePort),
      program: program([{ from: 'punch-port', remote: { host: BOB, port: bobPort } }], true),
      ...more,
    },
    {
      ...common,
      role: 'responder',
      identity: bob,
      peerId: alice.id,
      peerHost: ALICE,
      port: port(BOB, bobPort),
      program: program([{ from: 'fresh-port', remote: { host: ALICE, port: alicePort } }]),
      ...more,
    },
  ];
}

async function both([a, b]: [Meeting, Meeting]): Promise<[Link, Link]> {
  const responding = meet(b);
  const initiated = await meet(a);
  await initiated.nominate(never);
  return [initiated, await responding];
}

describe('meeting', () => {
  it('two programs make one connection, each end proved', async () => {
    const [first, second] = await both(await pair());
    expect([first.secured.peer, second.secured.peer]).toEqual([bob.id, alice.id]);
    expect([first.secured.role, second.secured.role]).toEqual(['client', 'server']);
    expect(first.remote).toEqual(second.local);
    for (const { secured } of [first, second]) secured.socket.destroy();
  });

  it('ten connections come up, and both sides take the same one', async () => {
    const [a, b] = await pair();
    const dials = Array.from({ length: 10 }, () => b.program.dials[0]!);
    const [first, second] = await both([a, { ...b, program: program(dials) }]);
    expect(first.remote).toEqual(second.local);
    for (const { secured } of [first, second]) secured.socket.destroy();
  });

  it('somebody else’s key is not taken, nor another attempt; the next round’s deadline ends it', async () => {
    for (const wrong of [{ identity: carol }, { id: 'another' }]) {
      using time = systemClock.deadline(300);
      const [a, b] = await pair({ round: time.signal });
      const responding = meet({ ...b, ...('id' in wrong ? wrong : {}) });
      const initiating = meet({ ...a, ...('identity' in wrong ? wrong : {}) }).then(link =>
        link.nominate(never),
      );
      await expect(responding).rejects.toMatchObject({ code: 'timeout' });
      await initiating.catch(() => {});
    }
  });

  it('a listening program closes whoever is not the peer, unheard', async () => {
    const [a] = await pair();
    using time = systemClock.deadline(400);
    const waiting = meet({ ...a, round: time.signal });
    await systemClock.sleep(100);
    const heard: Buffer[] = [];
    const stranger = connect({ host: ALICE, port: a.port.port, localAddress: '127.0.0.9' });
    stranger.on('data', chunk => heard.push(chunk));
    stranger.on('error', () => {});
    await new Promise(resolve => stranger.once('close', resolve));
    expect(heard).toEqual([]);
    await expect(waiting).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe('a run', () => {
  it.each([1, 8, 256])('%i dials that are all reset: 100 tries more at the most', async count => {
    const punchPort = await freePort(1, [ALICE]);
    const remote = { host: BOB, port: await freePort(1, [BOB]) };
    const dials = Array.from({ length: count }, (): Dial => ({ from: 'fresh-port', remote }));
    await using run = new PunchRun({
      program: program(dials),
      allowance: { left: 750 },
      localAddress: ALICE,
      punchPort,
      peerHost: BOB,
      clock: { ...systemClock },
      random: () => 0,
    });
    await run.start(never);
    expect(run.syns).toBe(count);
    await systemClock.sleep(count === 1 ? 900 : 300);
    expect(run.syns).toBeGreaterThan(count);
    expect(run.syns).toBeLessThanOrEqual(count + 100);
  });

  it('sends no more than the attempt is allowed', async () => {
    const remote = { host: BOB, port: await freePort(1, [BOB]) };
    const allowance = { left: 10 };
    await using run = new PunchRun({
      program: program(Array.from({ length: 8 }, (): Dial => ({ from: 'fresh-port', remote }))),
      allowance,
      localAddress: ALICE,
      punchPort: await freePort(1, [ALICE]),
      peerHost: BOB,
      clock: systemClock,
      random: () => 0,
    });
    await run.start(never);
    await systemClock.sleep(200);
    expect([run.syns, allowance.left]).toEqual([10, 0]);
  });

  it('does not begin where its dials are not allowed any more', async () => {
    const [meeting] = await pair({ allowance: { left: 0 } });
    await expect(meet(meeting)).rejects.toMatchObject({ reason: 'hole-not-made' });
  });

  it('ends its tries when it is disposed of', async () => {
    const remote = { host: BOB, port: await freePort(1, [BOB]) };
    const options = {
      localAddress: ALICE,
      punchPort: await freePort(1, [ALICE]),
      peerHost: BOB,
      clock: systemClock,
    };
    const run = new PunchRun({
      program: program([{ from: 'fresh-port', remote }]),
      allowance: { left: 750 },
      ...options,
      random: Math.random,
    });
    await run.start(never);
    await run[Symbol.asyncDispose]();
    const { syns } = run;
    await systemClock.sleep(100);
    expect(run.syns).toBe(syns);
  });
});

describe('cancelling', () => {
  const RUNS = 1000;
  const AT_ONCE = 10;

  it(`${RUNS} meetings with a cancel at a random moment leave no socket, timer or listener`, {
    timeout: 120_000,
  }, async () => {
    const resources = () => process.getActiveResourcesInfo().filter(name => /TCP|Timeout|TLS/.test(name));
    const whole = new AbortController();
    let connected = 0;
    const one = async (_?: unknown, i = 0) => {
      const controller = new AbortController();
      const longestMs = i % AT_ONCE === 0 ? 2000 : 60; // every tenth connects on the busiest machine
      const timer = setTimeout(() => controller.abort(), Math.random() * longestMs);
      using time = systemClock.deadline(2000, [controller.signal, whole.signal]);
      const meetings = await pair({ round: time.signal, whole: time.signal });
      const links = await Promise.allSettled([
        meet(meetings[0]).then(async link => {
          await link.nominate(never);
          return link;
        }),
        meet(meetings[1]),
      ]);
      clearTimeout(timer);
      const kept = links.flatMap(link => (link.status === 'fulfilled' ? [link.value] : []));
      if (kept.length === 2) connected++;
      for (const { secured } of kept) secured.socket.destroy();
      expect(getEventListeners(time.signal, 'abort')).toEqual([]);
    };
    await one();
    await systemClock.sleep(200);
    const before = resources().length;
    for (let i = 0; i < RUNS / AT_ONCE; i++) await Promise.all(Array.from({ length: AT_ONCE }, one));
    await systemClock.sleep(500);
    expect(resources().length).toBeLessThanOrEqual(before);
    expect(getEventListeners(whole.signal, 'abort')).toEqual([]);
    expect(connected).toBeGreaterThan(RUNS / 50); // some were in time, so that both outcomes are covered
    expect(connected).toBeLessThan(RUNS);
  });
});
