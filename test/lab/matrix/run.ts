// One run of a cell: a fresh `wayleave connect` that sends a message and waits for its echo. When it ends other
// than expected, its logs and a capture of the WAN are kept.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttemptOutcome } from '../../../src/errors.js';
import type { Expectation } from '../expectations.js';
import { builtProgram } from '../world/agent-client.js';
import type { LabProcess } from '../world.js';
import { addressOf, CLI, DEBUG, serverUrl } from './product.js';
import { isAsExpected, type Run } from './result.js';
import type { Stage } from './stage.js';

/** What `connect` may take in all; every strategy's budget fits. */
const TIMEOUT_S = 25;
/** What the process may take: start, probe and goodbye on a busy machine. */
const PATIENCE_MS = (TIMEOUT_S + 30) * 1000;

export interface RunOptions {
  readonly a: string;
  readonly b: string;
  readonly number: number;
  readonly expected: Expectation;
  /** The initiator's calendar is ahead by so much. Default 0. */
  readonly clockAheadMs?: number;
  /** Where failures are kept. */
  readonly directory: string;
}

export async function runCell(stage: Stage, options: RunOptions): Promise<Run> {
  const { a, b, number, expected, directory, clockAheadMs = 0 } = options;
  const from = stage.initiator(a);
  const { link, node } = stage.responder(b);
  const stopRecording = await stage.world.wan.record(from.link, link, 'server');
  const marks = { node: node.stderr.lines.length, server: stage.serverProcess.stderr.lines.length };
  const message = `${a} to ${b}, ${number}`;
  const url = serverUrl(stage.server, from.host);
  const flags = ['--server', url, '--message', message, '--timeout', String(TIMEOUT_S), '--json'];
  const clock = clockAheadMs === 0 ? [] : ['--import', builtProgram('matrix/clock-ahead')];
  const connect = await from.host.spawn('node', [...clock, CLI, 'connect', addressOf(node), ...flags], {
    env: { ...DEBUG.env, LAB_CLOCK_AHEAD_MS: String(clockAheadMs) },
    input: '',
  });
  const guard = setTimeout(() => connect.kill('SIGKILL'), PATIENCE_MS);
  const { code } = await connect.exited;
  clearTimeout(guard);
  const run = read(a, b, connect, message, code);
  if (isAsExpected(run, expected)) {
    await stopRecording(null);
    return run;
  }
  const kept = join(directory, `${a}--${b}--${number}`);
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, 'connect.jsonl'), connect.stdout.text);
  writeFileSync(join(kept, 'connect.log'), connect.stderr.text);
  writeFileSync(join(kept, 'node.log'), node.stderr.lines.slice(marks.node).join('\n'));
  writeFileSync(join(kept, 'server.log'), stage.serverProcess.stderr.lines.slice(marks.server).join('\n'));
  await stopRecording(join(kept, 'wan.pcap'));
  return { ...run, kept };
}

/** What `wayleave explain` foretells there: the strategy, or null. */
export async function explainCell(stage: Stage, a: string, b: string): Promise<string | null> {
  const { host } = stage.initiator(a);
  const args = ['explain', addressOf(stage.responder(b).node), '--server', serverUrl(stage.server, host)];
  const line = await host.output('node', [CLI, ...args, '--json']);
  return (JSON.parse(line) as { expected: string | null }).expected;
}

interface Connected {
  event: 'connected';
  strategy: string;
  ms: number;
  readyMs: number;
  attempts: AttemptOutcome[];
}
interface Failed {
  event: 'failed';
  code: string;
  message: string;
  attempts?: AttemptOutcome[];
}

/** What the output of `connect --json` says. */
function read(a: string, b: string, connect: LabProcess, message: string, code: number | null): Run {
  const events = connect.stdout.lines
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Connected | Failed | { event: 'message'; data: string });
  const won = events.find(event => event.event === 'connected');
  const lost = events.find(event => event.event === 'failed');
  const echoed = events.some(event => event.event === 'message' && event.data === message);
  const connected = won !== undefined && echoed && code === 0;
  const why = lost
    ? `${lost.code}: ${lost.message}`
    : `${won ? 'connected, but the message did not come back' : 'no result'}; exit code ${code}`;
  return {
    a,
    b,
    connected,
    strategy: won?.strategy ?? null,
    ms: connected ? won.ms : null,
    readyMs: won?.readyMs ?? null,
    attempts: won?.attempts ?? lost?.attempts ?? [],
    failure: connected ? null : why,
    kept: null,
  };
}
