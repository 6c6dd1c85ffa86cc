// `npm run demo`: an embedded server and two nodes on this machine, connected by every strategy that this machine
// can show, with the story of each attempt. No root, no network, no question asked.

import { createServer } from '../signalling-server/index.js';
import { pc } from '../src/cli/colours.js';
import { attemptLine } from '../src/cli/story.js';
import { createNode, type NodeOptions } from '../src/index.js';
import { playPunch } from './demo-punch.js';

interface Scene {
  readonly title: string;
  readonly explained: string;
  readonly alice?: NodeOptions;
  readonly bob: NodeOptions;
}

const SCENES: readonly Scene[] = [
  {
    title: 'direct: Bob listens where Alice can dial him',
    explained: 'Alice dials what Bob’s signed address says; both prove their keys inside TLS 1.3.',
    bob: {},
  },
  {
    title: 'reverse: Bob takes no inbound connections, so Alice asks him to call her',
    explained: 'The request goes through the signalling server, sealed: the server cannot read or change it.',
    bob: { listen: false },
  },
  {
    title: 'relay: neither takes inbound connections, so the server’s relay joins them',
    explained: 'Both reach only the relay’s own port. It carries TLS 1.3 that it cannot read.',
    alice: { listen: false },
    bob: { listen: false },
  },
];

const say = (text = '') => process.stdout.write(`${text}\n`);

async function play(
  { title, explained, alice: ofAlice, bob: ofBob }: Scene,
  servers: string[],
): Promise<string> {
  say(`\n${pc.bold(title)}\n${pc.dim(explained)}`);
  await using alice = await createNode({ servers, ...ofAlice });
  await using bob = await createNode({ servers, ...ofBob });
  await Promise.all([alice.ready(), bob.ready()]);
  bob.onMessage(async (message, client, pipe) => {
    await pipe.send(`hello ${client.id.slice(0, 6)}…, I got “${message}”`);
  });
  alice.events.on('attempt', outcome => say(attemptLine(outcome)));

  const began = performance.now();
  await using pipe = await alice.connect(bob.address.toString());
  const connectedMs = performance.now() - began;
  await pipe.send('ping from Alice');
  const answer = await pipe.recv({ timeoutMs: 5000 });
  const { strategy, local, remote } = pipe.route;
  const ends = pc.dim(`${local.host}:${local.port} ↔ ${remote.host}:${remote.port}`);
  say(`  ${pc.green('→')} pipe open by ${pc.bold(strategy)} in ${connectedMs.toFixed(1)} ms  ${ends}`);
  say(`  ${pc.green('→')} Bob answered: ${answer}`);
  return strategy;
}

const began = performance.now();
say(pc.bold('wayleave demo: two nodes, one address, an encrypted pipe'));
await using server = await createServer({ host: '127.0.0.1', port: 0 });
say(`An embedded signalling server listens at ${server.listening.signalling}; nothing leaves this machine.`);
const shown: string[] = [];
for (const scene of SCENES) shown.push(await play(scene, [server.listening.signalling]));
shown.push(...(await playPunch(say)));

say(`\n${pc.bold('What happened')}`);
say(`  ${shown.length} pipes: ${shown.join(', then ')}; ${Math.round(performance.now() - began)} ms in all.`);
say(`\nTry it yourself, in three terminals:
  npx wayleave server
  npx wayleave node --server ws://127.0.0.1:7443 --echo
  npx wayleave connect ADDRESS --message hello`);
