// One process of the soak: the server, the far node, which sends everything back, or the near one, which opens pipes
// all the time: by each strategy in turn, some given up on the way, some kept for a minute, ended by either side.
import { createServer } from '../signalling-server/index.js';
import { ConnectError, createNode, type Node, type Pipe, WayleaveError } from '../src/index.js';
import { restingMemory } from './pipe-peers.js';

/** What a party has seen, and what it holds. */
export interface Report {
  readonly opened: number;
  readonly aborted: number;
  readonly failed: number;
  readonly unhandled: number;
  readonly restingBytes: number;
}

/** One connect after another: a node serves one request of a peer at a time. */
const PAUSE_MS = 450;
const STRATEGIES = ['direct', 'reverse', 'relay'] as const;
const LARGEST_BYTES = 64 * 1024;
/** One pipe of so many lives for a minute. */
const LASTING = 16;
const LASTING_MS = 60_000;
const ANSWER_MS = 30_000;
const BYE = 'bye';

const churn = { opened: 0, aborted: 0, failed: 0, unhandled: 0 };
process.on('unhandledRejection', reason => {
  churn.unhandled++;
  console.error(reason);
});
process.on('message', () => process.send!({ ...churn, restingBytes: restingMemory() } satisfies Report));

const [role, url = '', address = ''] = process.argv.slice(2);
const LOCAL = { host: '127.0.0.1', portMapping: false } as const;
// one peer dials here more often than any honest one would
const OFTEN = { dialRequestsPerPeer: 1000, dialRequestsPerNode: 10_000 };

if (role === 'server') {
  const server = await createServer({ host: '127.0.0.1', port: 0, stunPort: 0 });
  process.send!(server.listening.signalling);
} else {
  const node = await createNode({ servers: [url], ...LOCAL, ...OFTEN });
  await node.ready();
  if (role === 'far') node.onMessage((message, _, pipe) => answer(message, pipe));
  process.send!(node.address.toString());
  if (role === 'near') await live(node);
}

async function answer(message: Buffer, pipe: Pipe): Promise<void> {
  if (message.toString('latin1', 0, 4) === BYE) await pipe.close();
  else await pipe.send(message).catch(() => {}); // it was cut meanwhile
}

async function live(node: Node): Promise<void> {
  for (let i = 0; ; i++) {
    const pipe = await connect(node, i);
    if (pipe) void use(pipe, i).catch(note);
    await sleep(PAUSE_MS);
  }
}

async function connect(node: Node, i: number): Promise<Pipe | undefined> {
  const strategies = [STRATEGIES[i % STRATEGIES.length]!];
  const given = new AbortController();
  const timer = i % 4 === 3 ? setTimeout(() => given.abort(), Math.random() * 60) : undefined;
  try {
    const pipe = await node.connect(address, { strategies, signal: given.signal });
    churn.opened++;
    return pipe;
  } catch (error) {
    note(error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function use(pipe: Pipe, i: number): Promise<void> {
  const untilMs = performance.now() + (i % LASTING === 0 ? LASTING_MS : 0);
  for (let left = 1 + (i % 5); left > 0; left--) await exchange(pipe, Math.random() * LARGEST_BYTES);
  for (; performance.now() < untilMs; await sleep(1_000)) await exchange(pipe, 100);
  if (i % 2 === 0) await pipe.send(BYE);
  else await pipe.close();
  await pipe.closed;
}

async function exchange(pipe: Pipe, bytes: number): Promise<void> {
  await pipe.send(Buffer.alloc(bytes, 1));
  await pipe.recv({ timeoutMs: ANSWER_MS });
}

function note(error: unknown): void {
  if (error instanceof WayleaveError && error.code === 'aborted') churn.aborted++;
  else {
    churn.failed++;
    console.error(error instanceof ConnectError ? error.attempts : error);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
