// How good the laboratory itself is, in figures: how fast worlds build, how true the WAN's delay is, and how
// much it carries. `node dist/test/lab/ground.js` prints them; docs/laboratory.md quotes them.
import { quantile } from './matrix/result.js';
import { createWorld, worldAbility } from './world.js';

const WORLDS = 10;
const PINGS = 400;
const DELAYS_MS = [1, 5, 20, 80];

const ability = await worldAbility();
if (!ability.able) {
  process.stderr.write(`${ability.reason}\n`);
  process.exit(1);
}
const say = (text: string) => process.stdout.write(`${text}\n`);

const buildMs: number[] = [];
const endMs: number[] = [];
for (let i = 0; i < WORLDS; i++) {
  const began = performance.now();
  const world = await createWorld();
  world.publicHost('server', { addresses: 2 });
  world.site('alice', 'port-restricted-drop');
  world.site('bob', 'symmetric-random');
  await world.build();
  buildMs.push(performance.now() - began);
  const ending = performance.now();
  await world[Symbol.asyncDispose]();
  endMs.push(performance.now() - ending);
}
say(`a world of two sites and a server, ${WORLDS} times:`);
say(`  build: median ${quantile(buildMs, 0.5)} ms, worst ${quantile(buildMs, 1)} ms`);
say(`  end:   median ${quantile(endMs, 0.5)} ms, worst ${quantile(endMs, 1)} ms`);

await using world = await createWorld();
const here = world.publicHost('here');
const there = world.publicHost('there');
await world.build();
say(`round trips by ping, ${PINGS} each, beyond twice the delay asked for:`);
for (const oneWayMs of DELAYS_MS) {
  await world.wan.set('all', { delayMs: oneWayMs / 2 });
  const output = await here.output('ping', ['-n', '-i', '0.005', '-c', String(PINGS), there.address]);
  const over = [...output.matchAll(/time=([\d.]+)/g)].map(match => Number(match[1]) - 2 * oneWayMs);
  const [low, middle, high] = [0.01, 0.5, 0.99].map(share => quantile(over, share));
  say(
    `  ${String(oneWayMs).padStart(3)} ms one way: median +${middle} ms, from ${low} to ${high} (1 % to 99 %)`,
  );
}

await world.wan.set('all', { delayMs: 1 });
const before = await world.wan.count();
const began = performance.now();
// A flooding ping keeps 200 in flight and sends as fast as answers come: each is two frames.
await here.run('ping', ['-q', '-f', '-s', '1200', '-l', '200', '-c', '20000', there.address]);
const seconds = (performance.now() - began) / 1000;
const after = await world.wan.count();
const frames = after.delivered - before.delivered;
say(
  `capacity: ${Math.round(frames / seconds)} frames of 1.2 kB a second (${frames} in ${seconds.toFixed(1)} s)`,
);
