// The demo's last scene: hole punching between real kernel NATs, in network namespaces that this process makes and
// that end with it. No root. Where the machine cannot do that, it says what is missing.
import { pc } from '../src/cli/colours.js';
import { attemptLine } from '../src/cli/story.js';
import type { AttemptOutcome } from '../src/index.js';
import { addressOf, CLI, serverUrl, startNode, startServer } from '../test/lab/matrix/product.js';
import { createWorld, type Site, type World, worldAbility } from '../test/lab/world.js';

const ONE_WAY_MS = 20;
/** For everything: on a slow machine the scene is left out rather than the demo prolonged. */
const LIMIT_MS = 35_000;

const ALICES = [
  { kind: 'port-restricted-drop', words: 'a home router like Bob’s' },
  {
    kind: 'symmetric-random',
    words: 'a NAT with a random port for each destination: 1,280 tries, and two meet',
  },
] as const;

type Say = (text?: string) => void;

/** Returns the strategy of each pipe that was opened. */
export async function playPunch(say: Say): Promise<string[]> {
  say(`\n${pc.bold('punch: both are behind NATs that let nothing in')}`);
  const ability = await worldAbility();
  if (!ability.able) {
    say(`  ${pc.yellow('Left out on this machine:')} ${ability.reason}`);
    return [];
  }
  say(pc.dim(`Real kernel NATs in namespaces of their own, ${2 * ONE_WAY_MS} ms there and back; no relay.`));
  const shown: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<'slow'>(resolve => {
    timer = setTimeout(() => resolve('slow'), LIMIT_MS);
  });
  const world = await createWorld({ oneWayMs: ONE_WAY_MS });
  const playing = play(world, say, shown);
  try {
    const end = await Promise.race([playing, slow]);
    if (end === 'slow') say(`  ${pc.yellow('Broken off:')} this machine is too busy for it.`);
  } catch (error) {
    say(`  ${pc.yellow('Left out on this machine:')} ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
    await world[Symbol.asyncDispose]();
    await playing.catch(() => {}); // its processes are gone
  }
  return shown;
}

async function play(world: World, say: Say, shown: string[]): Promise<void> {
  const server = world.publicHost('server', { addresses: 2 });
  const home = world.site('bob', 'port-restricted-drop');
  const sites = ALICES.map(({ kind, words }, i) => ({ words, site: world.site(`alice-${i + 1}`, kind) }));
  await startServer(server);
  const bob = await startNode(home.host, server);
  for (const { site, words } of sites) {
    const lines = await connect(site, addressOf(bob)); // one after another: two would share the machine
    say(`  Alice behind ${words}:`);
    for (const line of lines) {
      if (line.event === 'connected') {
        for (const attempt of line.attempts.filter(({ outcome }) => outcome !== 'cancelled'))
          say(attemptLine(attempt));
        shown.push(line.strategy);
        const ends = pc.dim(
          `${line.local.host}:${line.local.port} ↔ ${line.remote.host}:${line.remote.port}`,
        );
        say(`  ${pc.green('→')} pipe open by ${pc.bold(line.strategy)} in ${line.ms.toFixed(1)} ms  ${ends}`);
      } else if (line.event === 'message') say(`  ${pc.green('→')} Bob echoed: ${line.data}`);
      else say(`  ${pc.red('→')} ${line.message}`);
    }
  }

  async function connect(site: Site, address: string): Promise<Line[]> {
    const flags = ['--server', serverUrl(server, site.host), '--message', 'ping from Alice', '--json'];
    const { stdout } = await site.host.run('node', [
      CLI,
      'connect',
      address,
      '--strategy',
      STRATEGIES,
      ...flags,
    ]);
    return stdout
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Line)
      .filter(({ event }) => event !== 'closed');
  }
}

const STRATEGIES = 'direct,reverse,punch';

interface Ends {
  readonly host: string;
  readonly port: number;
}

type Line =
  | {
      readonly event: 'connected';
      readonly strategy: string;
      readonly ms: number;
      readonly local: Ends;
      readonly remote: Ends;
      readonly attempts: AttemptOutcome[];
    }
  | { readonly event: 'message'; readonly data: string }
  | { readonly event: 'failed' | 'closed'; readonly message: string };
