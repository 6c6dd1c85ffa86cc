// A relay that dies, or falls silent, in the middle of a transfer: a real process each time, ours and coturn, killed
// or stopped by a signal. Both ends of the pipe say so, within 30 s by default (row 28).
import { describe, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createNode, type Pipe } from '../../../src/index.js';
import { cli } from '../../cli/cli.js';
import { requirement } from '../../requirements.js';
import { SECRET, startCoturn } from './coturn.js';

/** What timers, a second look and a relay that is asked for its part may take beyond `deadMs`. */
const GRACE_MS = 5_000;
const USUAL = { heartbeatMs: 10_000, deadMs: 25_000 };
const BRIEF = { heartbeatMs: 1_000, deadMs: 3_000 };
const HALFWAY_BYTES = 5_000_000;

/** A relay in a process of its own, and the URL of a signalling server that names it. */
interface Subject extends AsyncDisposable {
  readonly pid: number;
  readonly signalling: string;
}

async function ours(): Promise<Subject> {
  const server = cli('server', '--host', '127.0.0.1', '--port', '0', '--stun-port', '0', '--json');
  const { signalling } = await server.event('listening');
  return {
    pid: server.child.pid!,
    signalling: String(signalling),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function coturn(): Promise<Subject> {
  const relay = await startCoturn();
  const turnUrls = [`turn:127.0.0.1:${relay.port}?transport=tcp`];
  const at = { host: '127.0.0.1', port: 0, stunPort: null };
  const server = await createServer({ ...at, relay: false, turnUrls, turnSecret: SECRET });
  return {
    pid: relay.child.pid!,
    signalling: server.listening.signalling,
    async [Symbol.asyncDispose]() {
      await server.close();
      await relay[Symbol.asyncDispose]();
    },
  };
}

/** How both ends end when the relay gets this signal while data flows. */
async function endsAfter(signal: NodeJS.Signals, start: () => Promise<Subject>, times: typeof USUAL) {
  await using subject = await start();
  const options = { servers: [subject.signalling], listen: false, portMapping: false as const, ...times };
  await using alice = await createNode(options);
  await using bob = await createNode(options);
  await Promise.all([alice.ready(), bob.ready()]);
  let received = 0;
  const halfway = new Promise<void>(resolve => {
    bob.onMessage(message => {
      received += message.length;
      if (received > HALFWAY_BYTES) resolve();
    });
  });
  const coming = new Promise<Pipe>(resolve => bob.onPipe(resolve));
  const near = await alice.connect(bob.address, { strategies: ['relay'] });
  const far = await coming;
  const sending = (async () => {
    for (;;) await near.send(Buffer.alloc(64 * 1024));
  })().catch(error => error);
  await halfway;
  const sinceMs = performance.now();
  process.kill(subject.pid, signal);
  const ends = await Promise.all([near.closed, far.closed]);
  const ms = performance.now() - sinceMs;
  return { ends, ms, sending: await sending };
}

function dies(start: () => Promise<Subject>, times: typeof USUAL): void {
  it.each([
    ['killed', 'SIGKILL'],
    ['silent', 'SIGSTOP'],
  ] as const)(
    '%s: both ends notice in time, and name the relay',
    { timeout: times.deadMs + 20_000 },
    async (_, signal) => {
      const { ends, ms, sending } = await endsAfter(signal, start, times);
      const relayLost = {
        code: 'connection-lost',
        by: 'network',
        message: expect.stringMatching(/^the relay /),
      };
      expect(ends).toEqual([relayLost, relayLost]);
      expect(sending).toMatchObject({ code: 'connection-lost' });
      expect(ms).toBeLessThan(times.deadMs + GRACE_MS);
    },
  );
}

describe('wayleave server', () => dies(ours, USUAL));

const describeCoturn = await requirement('coturn');
describeCoturn('coturn', () => dies(coturn, BRIEF));
