// The first process inside a world (process 1 of its PID namespace): starts everything else there and
// carries the output out. When the laboratory that made the world ends, in whatever way, this program's
// input ends, it exits, and the kernel takes every process, namespace, device and mount of the world away.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { AgentEvent, AgentRequest } from './agent-protocol.js';

const children = new Map<number, ChildProcess>();

function say(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function start(request: AgentRequest & { do: 'spawn' }): void {
  const { process: number, namespace, argv, env, cwd, input } = request;
  const [command = '', ...args] =
    namespace === null ? argv : ['nsenter', `--net=/run/netns/${namespace}`, ...argv];
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: 'pipe',
    ...(cwd === null ? {} : { cwd }),
  });
  children.set(number, child);
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      say({ is: 'output', process: number, stream, data: chunk.toString('base64') });
    });
  }
  child.stdin.on('error', () => {}); // it closed its input: its own business
  if (input !== null) child.stdin.end(input);
  child.on('error', error => {
    if (child.pid === undefined)
      say({ is: 'exit', process: number, code: null, signal: null, error: String(error) });
  });
  child.on('close', (code, signal) => {
    children.delete(number);
    if (child.pid !== undefined) say({ is: 'exit', process: number, code, signal });
  });
}

function obey(request: AgentRequest): void {
  const child = children.get(request.process);
  switch (request.do) {
    case 'spawn':
      start(request);
      return;
    case 'write':
      child?.stdin?.write(Buffer.from(request.data, 'base64'));
      return;
    case 'end':
      child?.stdin?.end();
      return;
    case 'kill':
      child?.kill(request.signal);
  }
}

// Signals are for the laboratory, not for the world: Ctrl-C ends it through the end of input below.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdout.on('error', () => process.exit(1));
createInterface({ input: process.stdin })
  .on('line', line => obey(JSON.parse(line) as AgentRequest))
  .on('close', () => process.exit(0));
say({ is: 'ready' });
