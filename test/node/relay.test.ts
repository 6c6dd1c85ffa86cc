// Two nodes that take no connections, and so meet at a relay: in one process, on real sockets.
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer, type ServerOptions } from '../../signalling-server/index.js';
import { createRelay, type Relay } from '../../signalling-server/turn/relay.js';
import { ConnectError, createNode, type Node, type NodeOptions, type Pipe } from '../../src/index.js';
import { TLS_CERTIFICATE, TLS_KEY } from '../interop/turn/certificate.js';

const SILENT = { listen: false, portMapping: false } as const satisfies NodeOptions;
const MESSAGES = 96;

let open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.reverse()) await one[Symbol.asyncDispose]();
  open = [];
});
const keep = <T extends AsyncDisposable>(one: T): T => {
  open.push(one);
  return one;
};

/** A relay whose counters can be read, and what a server names it by. */
async function relayApart(): Promise<{ relay: Relay; named: ServerOptions }> {
  const relay = keep(await createRelay({ host: '127.0.0.1', port: 0 }));
  const { urls, username, credential } = relay.grant('everybody');
  const ofTcp = urls.filter(url => url.endsWith('tcp'));
  return { relay, named: { relay: false, turn: [{ urls: ofTcp, username, credential }] } };
}

async function serverAt(options: ServerOptions = {}) {
  return keep(await createServer({ host: '127.0.0.1', port: 0, ...options }));
}

async function pair(options: ServerOptions, ...each: [NodeOptions?, NodeOptions?]): Promise<[Node, Node]> {
  const servers = [(await serverAt(options)).listening.signalling];
  const nodes = [];
  for (const own of [each[0], each[1]]) nodes.push(keep(await createNode({ servers, ...SILENT, ...own })));
  await Promise.all(nodes.map(node => node.ready()));
  return nodes as [Node, Node];
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 5000; !holds() && performance.now() < end; )
    await new Promise(resolve => setTimeout(resolve, 10));
  expect(holds()).toBe(true);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it connected'),
    error => {
      expect(error).toBeInstanceOf(ConnectError);
      return error as ConnectError;
    },
  );

const byRelay = (from: Node, to: Node) => from.connect(to.address, { strategies: ['relay'] });

describe('through a relay', () => {
  it('every message arrives whole and in order, both ways, and nothing is left at the relay', async () => {
    const { relay, named } = await relayApart();
    const [alice, bob] = await pair(named);
    const hashes = [createHash('sha256'), createHash('sha256')] as const;
    let count = 0;
    const done = new Promise<void>(resolve => {
      bob.onMessage(message => {
        hashes[1].update(message);
        if (++count === MESSAGES) resolve();
      });
    });
    const coming = new Promise<Pipe>(resolve => bob.onPipe(resolve));
    await using pipe = await byRelay(alice, bob);
    const other = await coming;
    expect(pipe.route.strategy).toBe('relay');
    expect([pipe.peer, other.peer]).toEqual([bob.id, alice.id]);
    expect([pipe.direction, other.direction]).toEqual(['outbound', 'inbound']);
    expect(pipe.route.remote).toEqual(other.route.local);
    expect(pipe.route.local).toEqual(other.route.remote);
    for (let i = 0; i < MESSAGES; i++) {
      const message = randomBytes(1 + ((i * 7919) % 100_000));
      hashes[0].update(message);
      await pipe.send(message);
    }
    await done;
    expect(hashes[1].digest('hex')).toBe(hashes[0].digest('hex'));
    await other.send('back');
    expect(String(await pipe.recv({ timeoutMs: 5000 }))).toBe('back');
    await pipe.close();
    await until(() => relay.counters.allocationsNow === 0 && relay.counters.connectionsNow === 0);
    expect(relay.counters).toMatchObject({ allocations: 2, streams: 1 });
  });

  it('of the signalling server itself, with nothing set up, whose challenge is known beforehand', async () => {
    const [alice, bob] = await pair({});
    await using pipe = await alice.connect(bob.address);
    expect(pipe.route.strategy).toBe('relay');
    expect(pipe.route.attempts?.map(({ outcome }) => outcome).at(-1)).toBe('won');
  });

  it('two connects of one pair at one time, one each way', async () => {
    const [alice, bob] = await pair({});
    const pipes = await Promise.all([byRelay(alice, bob), byRelay(bob, alice)]);
    expect(pipes.map(pipe => pipe.peer)).toEqual([bob.id, alice.id]);
    await Promise.all(pipes.map(pipe => pipe.close()));
  });

  it('a peer that does not admit us says so', async () => {
    const { relay, named } = await relayApart();
    const [alice, bob] = await pair(named, {}, { accept: () => false });
    const error = await failure(byRelay(alice, bob));
    expect(error.code).toBe('refused');
    expect(error.attempts).toMatchObject([{ strategy: 'relay', outcome: 'failed', reason: 'peer-refused' }]);
    await until(() => relay.counters.allocationsNow === 0 && relay.counters.connectionsNow === 0);
  });
});

describe('without a relay', () => {
  it('says that there is none', async () => {
    const [alice, bob] = await pair({ relay: false });
    const error = await failure(alice.connect(bob.address));
    expect(error.attempts.at(-1)).toMatchObject({
      strategy: 'relay',
      outcome: 'skipped',
      reason: 'no-relay',
    });
  });

  it('that answers, says what became of it', async () => {
    const { relay, named } = await relayApart();
    await relay.close();
    const [alice, bob] = await pair(named);
    const error = await failure(byRelay(alice, bob));
    expect(error.attempts).toMatchObject([{ outcome: 'failed', reason: 'connection-refused' }]);
  });

  it('whose certificate is trusted, says so', async () => {
    const relay = keep(
      await createRelay({ host: '127.0.0.1', port: 0, tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } }),
    );
    const { urls, username, credential } = relay.grant('everybody');
    const turn = [{ urls: urls.filter(url => url.startsWith('turns:')), username, credential }];
    const [alice, bob] = await pair({ relay: false, turn });
    const error = await failure(byRelay(alice, bob));
    expect(error.attempts).toMatchObject([{ outcome: 'failed', reason: 'relay-certificate' }]);
  });
});

describe('a relay', () => {
  it('that dies in the middle of a transfer: both ends say that it was lost', async () => {
    const { relay, named } = await relayApart();
    const [alice, bob] = await pair(named);
    const coming = new Promise<Pipe>(resolve => bob.onPipe(resolve));
    await using pipe = await byRelay(alice, bob);
    const other = await coming;
    let received = 0;
    const flowing = new Promise<void>(resolve => {
      other.onMessage(message => {
        received += message.length;
        if (received > 2_000_000) resolve();
      });
    });
    const sending = (async () => {
      for (;;) await pipe.send(Buffer.alloc(64 * 1024));
    })().catch(error => error);
    await flowing;
    await relay.close();
    for (const end of await Promise.all([pipe.closed, other.closed]))
      expect(end).toMatchObject({ code: 'connection-lost', message: /relay/ });
    expect((await sending).code).toBe('connection-lost');
  });

  it('is not asked for anything by a connect that ends sooner by another way', async () => {
    const { relay, named } = await relayApart();
    const [alice, bob] = await pair(named, {}, { listen: true });
    await using pipe = await alice.connect(bob.address);
    expect(pipe.route.strategy).toBe('direct');
    expect(relay.counters).toMatchObject({ allocations: 0, connectionsNow: 0 });
  });

  it('keeps nothing of connects that are given up at any moment', async () => {
    const { relay, named } = await relayApart();
    const [alice, bob] = await pair(named, {}, { dialRequestsPerPeer: 100 });
    for (let ms = 0; ms < 60; ms += 4) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), ms);
      const connecting = alice.connect(bob.address, { strategies: ['relay'], signal: controller.signal });
      await connecting.then(
        pipe => pipe.close(),
        () => {},
      );
      clearTimeout(timer);
    }
    await until(() => relay.counters.allocationsNow === 0 && relay.counters.connectionsNow === 0);
    expect(relay.counters.allocations).toBeGreaterThan(0);
  });
});
