// Nodes in one process, on real sockets and a real server: what must hold for every connect.
import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer, type Server } from '../../signalling-server/index.js';
import { ConnectError, createNode, type Node, type NodeOptions, type Pipe } from '../../src/index.js';

let server: Server;
let servers: string[];

beforeAll(async () => {
  server = await createServer({ host: '127.0.0.1', port: 0 });
  servers = [server.listening.signalling];
});
afterAll(() => server.close());

/** Ready nodes that are closed at the end of the test. */
async function nodes<const T extends NodeOptions[]>(...options: T) {
  const all = await Promise.all(options.map(one => createNode({ servers, ...one })));
  await Promise.all(all.map(node => node.ready()));
  return Object.assign(all as { [K in keyof T]: Node }, {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(node => node.close()));
    },
  });
}

const failure = (promise: Promise<unknown>): Promise<ConnectError> =>
  promise.then(
    () => expect.fail('it connected'),
    error => {
      expect(error).toBeInstanceOf(ConnectError);
      return error;
    },
  );

describe('connect', () => {
  it('tells both sides who, how and from where', async () => {
    await using pair = await nodes({}, {});
    const [alice, bob] = pair;
    const inbound = new Promise<Pipe>(resolve => bob.onPipe(resolve));
    await using pipe = await alice.connect(bob.address);
    const other = await inbound;
    expect([pipe.peer, other.peer]).toEqual([bob.id, alice.id]);
    expect([pipe.direction, other.direction]).toEqual(['outbound', 'inbound']);
    expect(pipe.route.strategy).toBe('direct');
    expect(pipe.route.remote).toEqual(other.route.local);
    expect(pipe.route.local).toEqual(other.route.remote);
    expect(pipe.route.attempts?.[0]).toMatchObject({
      strategy: 'direct',
      outcome: 'won',
      reason: 'connected',
    });
    expect(pipe.route.attempts?.slice(1).every(({ ms }) => ms === 0)).toBe(true);
  });

  it('reaches the node itself', async () => {
    await using only = await nodes({});
    const [node] = only;
    node.onMessage((message, client, pipe) => {
      if (pipe.direction === 'inbound') void pipe.send(`${message} from ${client.id}`);
    });
    for (const strategy of ['direct', 'reverse'] as const) {
      await using pipe = await node.connect(node.address.toString(), { strategies: [strategy] });
      await pipe.send('me');
      expect(String(await pipe.recv({ timeoutMs: 5000 }))).toBe(`me from ${node.id}`);
    }
  });

  it('by reverse, the requester is the initiator', async () => {
    await using pair = await nodes({}, { listen: false });
    const [alice, bob] = pair;
    const inbound = new Promise<Pipe>(resolve => bob.onPipe(resolve));
    await using pipe = await alice.connect(bob.address);
    expect(pipe.route.strategy).toBe('reverse');
    expect(pipe.direction).toBe('outbound');
    expect((await inbound).direction).toBe('inbound');
  });

  it('messages to several node-wide handlers, each of which can leave', async () => {
    await using pair = await nodes({}, {});
    const [alice, bob] = pair;
    const seen: string[] = [];
    const first = bob.onMessage(message => seen.push(`1 ${message}`));
    bob.onMessage((message, _, pipe) => {
      seen.push(`2 ${message}`);
      void pipe.send('ok');
    });
    await using pipe = await alice.connect(bob.address);
    await pipe.send('a');
    await pipe.recv({ timeoutMs: 5000 });
    first[Symbol.dispose]();
    await pipe.send('b');
    await pipe.recv({ timeoutMs: 5000 });
    expect(seen).toEqual(['1 a', '2 a', '2 b']);
  });

  it('both to each other at the same time: one pipe a call, never a deadlock', async () => {
    await using pair = await nodes({ maxHandshakes: 4096 }, { maxHandshakes: 4096 });
    const [alice, bob] = pair;
    let opened = 0;
    alice.onPipe(() => opened++);
    bob.onPipe(() => opened++);
    const rounds = Number(process.env.WAYLEAVE_SIMULTANEOUS ?? 100);
    for (let round = 0; round < rounds; round++) {
      const [a, b] = await Promise.all([alice.connect(bob.address), bob.connect(alice.address)]);
      expect(a.peer).toBe(bob.id);
      expect(b.peer).toBe(alice.id);
      await Promise.all([a.close(), b.close()]);
    }
    expect(opened).toBe(rounds * 4);
  });

  it('through a second server when the first is gone', async () => {
    await using second = await createServer({ host: '127.0.0.1', port: 0 });
    const both = ['ws://127.0.0.1:9', second.listening.signalling];
    await using pair = await nodes({ servers: both }, { servers: both, listen: false });
    const [alice, bob] = pair;
    await using pipe = await alice.connect(bob.address);
    expect(pipe.route.strategy).toBe('reverse');
  });

  it('through the server that only the address names', async () => {
    await using bobs = await nodes({ listen: false });
    await using alice = await createNode({ portMapping: false }); // no gateway of a real network
    await using pipe = await alice.connect(bobs[0].address);
    expect(pipe.route.strategy).toBe('reverse');
  });
});

describe('refusals', () => {
  it('accept is asked before any byte, on every strategy', async () => {
    for (const listen of [true, false]) {
      const asked: string[] = [];
      const accept = async (peer: string) => {
        asked.push(peer);
        return false;
      };
      const options = { accept, listen };
      await using pair = await nodes({}, options);
      const [alice, bob] = pair;
      let pipes = 0;
      bob.onPipe(() => pipes++);
      const error = await failure(alice.connect(bob.address));
      expect(error.code).toBe('refused');
      expect(error.attempts.some(({ reason }) => reason === 'peer-refused')).toBe(true);
      expect(pipes).toBe(0);
      expect(asked).toEqual([alice.id]);
    }
  });

  it('an accept that throws admits nobody, and is reported', async () => {
    await using pair = await nodes(
      {},
      {
        accept: () => {
          throw new Error('broken');
        },
      },
    );
    const [alice, bob] = pair;
    const reported: unknown[] = [];
    bob.events.on('error', error => reported.push(error));
    expect((await failure(alice.connect(bob.address, { strategies: ['direct'] }))).code).toBe('refused');
    expect(reported).toEqual([expect.objectContaining({ message: 'broken' })]);
  });

  it('more dial-backs than the limit: rate-limited, with the reason', async () => {
    await using pair = await nodes({}, { listen: false, dialRequestsPerPeer: 2 });
    const [alice, bob] = pair;
    for (let i = 0; i < 2; i++) await (await alice.connect(bob.address)).close();
    const error = await failure(alice.connect(bob.address));
    expect(error.attempts).toContainEqual(
      expect.objectContaining({ strategy: 'reverse', outcome: 'failed', reason: 'rate-limited' }),
    );
    // each way is told so, none waits for an answer that does not come
    expect(error.attempts.map(({ reason }) => reason)).not.toContain('out-of-time');
  });

  it('whoever gives up and asks again at once finds a place', async () => {
    await using pair = await nodes({}, { listen: false, dialRequestsPerPeer: 100 });
    const [alice, bob] = pair;
    for (let i = 0; i < 6; i++) {
      // the server allows 40 messages at once
      const controller = new AbortController();
      const given = alice.connect(bob.address, { signal: controller.signal }).then(
        pipe => pipe.close(),
        () => {},
      );
      setTimeout(() => controller.abort(), i * 3);
      await given;
      await (await alice.connect(bob.address, { strategies: ['reverse'] })).close();
    }
  });
});

describe('every connect settles, and leaves nothing', () => {
  it('when the caller aborts, at once', async () => {
    await using pair = await nodes({}, {});
    const [alice, bob] = pair;
    const controller = new AbortController();
    const connecting = failure(alice.connect(bob.address, { signal: controller.signal }));
    controller.abort();
    expect((await connecting).code).toBe('aborted');
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    const error = await failure(alice.connect(bob.address, { signal: AbortSignal.abort() }));
    expect(error.code).toBe('aborted');
  });

  it('when its time is over', async () => {
    await using pair = await nodes({}, { listen: false });
    const [alice, bob] = pair;
    const error = await failure(alice.connect(bob.address, { timeoutMs: 1 }));
    expect(error.code).toBe('connect-timeout');
    expect(error.attempts.slice(0, 2)).toEqual([
      expect.objectContaining({ strategy: 'direct', outcome: 'skipped' }),
      expect.objectContaining({ strategy: 'reverse', outcome: 'cancelled', reason: 'connect-timeout' }),
    ]);
  });

  it('when the node is closed meanwhile', async () => {
    await using pair = await nodes({}, {});
    const [alice, bob] = pair;
    const connecting = alice.connect(bob.address).catch(error => error);
    await alice.close();
    const result = await connecting;
    if (result instanceof Error) expect(result).toMatchObject({ code: 'closed' });
    else expect((await (result as Pipe).closed).code).toBe('closed');
    await expect(alice.connect(bob.address)).rejects.toMatchObject({ code: 'closed' });
  });

  it('connects aborted at random moments leave no socket, timer or listener', async () => {
    await using pair = await nodes({}, {});
    const [alice, bob] = pair;
    const resources = () =>
      process.getActiveResourcesInfo().filter(name => /TCP|Timeout|TLS/.test(name)).length;
    const warm = await alice.connect(bob.address);
    await warm.close();
    await settle();
    const before = resources();
    for (let i = 0; i < Number(process.env.WAYLEAVE_ABORTS ?? 200); i++) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), Math.random() * 8);
      const pipe = await alice
        .connect(bob.address, {
          signal: controller.signal,
          strategies: i % 2 ? ['direct'] : ['reverse', 'direct'],
        })
        .catch(() => undefined);
      clearTimeout(timer);
      await pipe?.close();
    }
    await settle();
    expect(resources()).toBeLessThanOrEqual(before);
  });
});

describe('the address of a living node', () => {
  it('lists every interface it listens on, and its servers', async () => {
    await using pair = await nodes({}, { listen: false, host: '127.0.0.1' });
    const [alice, bob] = pair;
    expect(alice.address.servers).toEqual(servers);
    expect(alice.address.interfaces.length).toBeGreaterThan(0);
    expect(alice.address.interfaces.every(({ port }) => port === alice.port)).toBe(true);
    expect(bob.address.interfaces).toMatchObject([{ family: 4, address: '127.0.0.1', port: null }]);
    expect(bob.port).toBeNull();
  });

  it('refuses options that are none, naming them', async () => {
    await expect(createNode({ port: 70_000 })).rejects.toMatchObject({ code: 'bad-option', message: /port/ });
    await expect(createNode({ prot: 7 } as NodeOptions)).rejects.toMatchObject({
      code: 'bad-option',
      message: /prot/,
    });
    await expect(createNode({ servers: ['http://x'] })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(createNode({ host: '203.0.113.77' })).rejects.toMatchObject({ code: 'listen-failed' });
  });
});

/** Lets what is already closing finish: goodbyes, cancels. */
async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 300));
}
