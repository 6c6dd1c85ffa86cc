// `wayleave node`: a node that stays up, prints its address, its pipes and their messages, and may echo.
import type { Command } from 'commander';
import type { Pipe } from '../pipe/pipe.js';
import { pc } from './colours.js';
import { type ForwardTarget, forwardTargets } from './forward-target.js';
import { allowForwarding } from './forwarding.js';
import type { NodeFlags } from './node-flags.js';
import { integer, nodeFlags, nodeIds, nodeOptions } from './node-flags.js';
import { EXIT, type Output, runCommand } from './output.js';

interface Flags extends NodeFlags {
  port: number;
  host?: string;
  listen: boolean;
  echo?: boolean;
  allow?: string[];
  allowForward?: ForwardTarget[];
}

export function registerNode(program: Command): void {
  const command = program
    .command('node')
    .description('run a node: print its address, accept pipes, show (or echo) their messages')
    .option('--port <n>', 'TCP port to listen on; 0 takes any free one', integer(0, 65535), 0)
    .option('--host <ip>', 'IP address to listen on (default: all)')
    .option('--no-listen', 'take no inbound connections; peers reach this node only with its help')
    .option(
      '--no-port-mapping',
      'neither ask the gateway for a port (PCP, NAT-PMP, UPnP) nor hold one open where the NAT filters nothing',
    )
    .option('--echo', 'send every message back')
    .option('--allow <nodeid>', 'admit only this node; may be repeated', nodeIds)
    .option(
      '--allow-forward <host:port>',
      'let `wayleave forward` reach this from here; may be repeated',
      forwardTargets,
    )
    .addHelpText(
      'after',
      `
Examples:
  wayleave node --server ws://203.0.113.10:7443 --key ~/.wayleave.key --echo
  wayleave node --allow-forward localhost:80      (and elsewhere: wayleave forward ADDRESS 8080:localhost:80)

Give the printed address to the other side; \`wayleave address ADDRESS\` explains what is in it.
With --json: {"event":"listening","id","address"}, then {"event":"pipe","peer","strategy","direction"},
{"event":"message","peer","data"}, {"event":"closed","peer","code"}, {"event":"address","address"}.`,
    );
  nodeFlags(command).action((flags: Flags) =>
    runCommand(flags, (output, signal) => run(flags, output, signal)),
  );
}

async function run(flags: Flags, output: Output, signal: AbortSignal): Promise<number> {
  const { createNode } = await import('../node.js');
  const allowed = flags.allow && new Set(flags.allow);
  await using node = await createNode({
    ...nodeOptions(flags),
    port: flags.port,
    listen: flags.listen,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(allowed === undefined ? {} : { accept: peer => allowed.has(peer) }),
  });
  const takesOver = allowForwarding(flags.allowForward ?? [], output);
  node.onPipe(pipe => show(pipe, flags.echo === true, takesOver, output));
  await node.ready({ signal });
  const address = node.address.toString();
  output.result(
    { event: 'listening', id: node.id, address },
    `${pc.bold('id')}       ${node.id}\n${pc.bold('address')}  ${address}`,
  );
  output.note(
    pc.dim('Give the address to the other side: wayleave connect ADDRESS   (Ctrl-C ends this node)'),
  );
  node.events.on('address', next => {
    output.result({ event: 'address', address: next.toString() }, `${pc.bold('address')}  ${next}`);
  });
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
  return EXIT.done;
}

function show(
  pipe: Pipe,
  echo: boolean,
  takesOver: (pipe: Pipe, first: Buffer) => boolean,
  output: Output,
): void {
  const { peer, direction } = pipe;
  const { strategy } = pipe.route;
  const who = `${peer.slice(0, 8)}…`;
  output.result({ event: 'pipe', peer, strategy, direction }, pc.green(`pipe from ${who} by ${strategy}`));
  let first = true;
  const showing = pipe.onMessage(async message => {
    const taken = first && takesOver(pipe, message);
    first = false;
    if (taken) return showing[Symbol.dispose](); // `wayleave forward`: no messages for people to read
    const data = message.toString();
    output.result({ event: 'message', peer, data }, `${who} ${data}`);
    if (echo) await pipe.send(message);
  });
  void pipe.closed.then(({ code, by }) => {
    output.result({ event: 'closed', peer, code, by }, pc.dim(`pipe from ${who} closed (${code})`));
  });
}
