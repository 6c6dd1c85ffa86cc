// How worlds end: whatever happens to their maker, no process, namespace, mount or file of them stays behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { builtProgram } from '../world/agent-client.js';
import { createWorld } from '../world.js';

const describeLab = await requirement('lab');

describeLab('the end of a world', () => {
  const makers: ChildProcess[] = [];
  afterEach(() => {
    for (const maker of makers.splice(0)) maker.kill('SIGKILL'); // when a test failed before its own kill
  });

  for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
    test(`${signal} to its maker leaves no process behind`, async () => {
      const mark = randomUUID();
      const maker = await holdWorld(mark, makers);
      await until(() => processesMarked(mark).length >= 5); // maker, unshare, agent, WAN, sleep
      maker.kill(signal);
      await until(() => processesMarked(mark).length === 0);
    });
  }

  test('Ctrl-C, a signal to the whole process group, does the same', async () => {
    const mark = randomUUID();
    const maker = await holdWorld(mark, makers);
    process.kill(-maker.pid!, 'SIGINT');
    await until(() => processesMarked(mark).length === 0);
  });

  test('an agent that is killed takes its world with it, and the maker hears', async () => {
    const world = await createWorld();
    const host = world.publicHost('host');
    const sleeper = await host.spawn('sleep', ['3600']);
    await host.spawn('sh', ['-c', 'kill -9 -1']); // everything in the world but its first process, and itself
    expect(await sleeper.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await world[Symbol.asyncDispose]();
    expect((await host.spawn('true').then(child => child.exited)).signal).toBe('SIGKILL');
  });

  test('100 worlds, ten at a time, disturb neither each other nor what comes after', async () => {
    const before = traces();
    for (let round = 0; round < 10; round++) {
      // Sites in the first round only: the kernel takes its time to end namespaces.
      const worlds = Array.from({ length: 10 }, (_, i) => pingInWorldOfItsOwn(10 * (i + 1), round === 0));
      await Promise.all(worlds);
    }
    await until(() => JSON.stringify(traces()) === JSON.stringify(before));
  }, 120_000);
});

/** Every world has the same names and addresses, but a delay of its own, and only its own packets. */
async function pingInWorldOfItsOwn(oneWayMs: number, behindNat: boolean): Promise<void> {
  await using world = await createWorld({ oneWayMs });
  const server = world.publicHost('server');
  const host = behindNat ? world.site('site', 'port-restricted-drop').host : world.publicHost('host');
  const output = await host.output('ping', ['-c3', '-i0.1', '-W5', server.address]);
  const best = Math.min(...[...output.matchAll(/time=([\d.]+)/g)].map(match => Number(match[1])));
  expect(best).toBeGreaterThanOrEqual(2 * oneWayMs - 0.2);
  expect((await world.wan.count()).delivered).toBe(6); // three pings and their answers, nobody else's
}

/** A process that holds a world, in a process group of its own; `mark` is in the environment of all of it. */
async function holdWorld(mark: string, makers: ChildProcess[]): Promise<ChildProcess> {
  const maker = spawn(process.execPath, [builtProgram('self-test/world-holder')], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, WAYLEAVE_LAB_MARK: mark },
  });
  makers.push(maker);
  const [line] = (await once(maker.stdout!, 'data')) as [Buffer];
  expect(line.toString()).toBe('holding\n');
  return maker;
}

const pids = () => readdirSync('/proc').filter(name => /^\d+$/.test(name));

function processesMarked(mark: string): string[] {
  return pids().filter(pid => quietly(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))?.includes(mark));
}

/** What a world could leave: mounts, files where programs put such, and processes in a world of ours. */
function traces() {
  const own = quietly(() => readlinkSync('/proc/self/ns/net'));
  const children = pids().filter(pid => {
    const status = quietly(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '';
    const isOurs = status.includes(`PPid:\t${process.pid}\n`);
    return isOurs && quietly(() => readlinkSync(`/proc/${pid}/ns/net`)) !== own;
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').length;
  const ours = (name: string) => /wayleave|world|netns|miniupnpd/.test(name);
  const files = [tmpdir(), '/run', '/var/run'].flatMap(directory => readdirSync(directory).filter(ours));
  return { children, mounts, files };
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // it ended between two looks
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not so after 10 s');
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
