// `wayleave server --nats` as processes: one service from several, whatever happens to one of them, to NATS, or to
// the connection between. Runs the built command line.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIdentity } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { createNode, type Node } from '../../src/node.js';
import { requirement } from '../requirements.js';
import { until } from '../unit/signalling/members.js';
import { readiness, startBalancer, startMember, startServer } from './cluster.js';
import { type NatsProcess, startNats } from './nats.js';
import { metric, RawClient } from './raw-client.js';

const describeNats = await requirement('nats');

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

describeNats('two server processes and NATS', () => {
  let nats: NatsProcess;
  beforeEach(async () => {
    nats = await startNats(scope);
  });
  const member = () => startMember(scope, nats.url);
  const client = (url: string, identity = createIdentity()) => new RawClient(scope, url, identity).register();
  /** The outcome of one message: `sent`, or why not. */
  async function post(from: RawClient, to: string, ref: number): Promise<string> {
    from.post(to, ref);
    const reasons = ['not-here', 'too-slow', 'rate-limited', 'unavailable'];
    let outcome: string | undefined;
    await until(() => {
      outcome = from.sent.includes(ref) ? 'sent' : reasons.find(word => from.undelivered(word).includes(ref));
      return outcome !== undefined;
    });
    return outcome!;
  }

  it('a message from one process to the other arrives once, as it was sent', async () => {
    const [one, two] = [await member(), await member()];
    const [a, b] = [await client(one.url), await client(two.url)];
    expect(await post(a, b.id, 1)).toBe('sent');
    expect(await post(b, a.id, 2)).toBe('sent');
    expect(b.deliveries).toEqual([expect.objectContaining({ from: a.id, seenFrom: '127.0.0.1' })]);
    expect(a.deliveries).toEqual([expect.objectContaining({ from: b.id })]);
    expect(await post(a, createIdentity().id, 3)).toBe('not-here');
    expect(await metric(one.metrics, 'wayleave_backplane_joined')).toBe(1);
    expect(await metric(one.metrics, 'wayleave_backplane_messages_total{direction="out"}')).toBe(2);
    expect(await metric(one.metrics, 'wayleave_backplane_messages_total{direction="in"}')).toBe(1);
  });

  it('whoever is welcome is reached from the other process at once', async () => {
    const [one, two] = [await member(), await member()];
    const a = await client(one.url);
    for (let ref = 0; ref < 50; ref++) {
      const b = await client(two.url);
      expect(await post(a, b.id, ref)).toBe('sent');
      b.socket.terminate();
    }
  });

  it('a node that registers elsewhere takes its id along; the former connection is told', async () => {
    const [one, two] = [await member(), await member()];
    const [a, identity] = [await client(one.url), createIdentity()];
    const former = await client(one.url, identity);
    const latter = await client(two.url, identity);
    expect(await former.closed).toBe(4001);
    expect(await post(a, identity.id, 1)).toBe('sent');
    expect([former.deliveries.length, latter.deliveries.length]).toEqual([0, 1]);
    const back = await client(one.url, identity);
    expect(await latter.closed).toBe(4001);
    expect(await post(a, identity.id, 2)).toBe('sent');
    expect(back.deliveries).toHaveLength(1);
  });

  it('pairs at one process never touch NATS', async () => {
    const one = await member();
    const [a, b] = [await client(one.url), await client(one.url)];
    expect(await post(a, b.id, 1)).toBe('sent');
    expect(await metric(one.metrics, 'wayleave_backplane_messages_total{direction="out"}')).toBe(0);
  });

  it('a second after a process was killed nobody of it is here; who moves is', async () => {
    const [one, two] = [await member(), await member()];
    const [a, identity] = [await client(one.url), createIdentity()];
    await client(two.url, identity);
    expect(await post(a, identity.id, 1)).toBe('sent');
    await two.kill();
    await systemClock.sleep(1000);
    expect(await post(a, identity.id, 2)).toBe('not-here');
    await client(one.url, identity);
    expect(await post(a, identity.id, 3)).toBe('sent');
  });

  it('NATS killed: local pairs go on, ready stays ready; restarted: the rest resumes by itself', async () => {
    const [one, two] = [await member(), await member()];
    const [a, near, far] = [await client(one.url), await client(one.url), await client(two.url)];
    expect(await post(a, far.id, 1)).toBe('sent');
    await nats.kill();
    while ((await metric(one.metrics, 'wayleave_backplane_joined')) !== 0) await systemClock.sleep(20);
    expect(await post(a, near.id, 2)).toBe('sent');
    expect(await post(a, far.id, 3)).toBe('unavailable');
    await readiness(one, 200);
    const late = await client(two.url);
    expect(await post(far, late.id, 4)).toBe('sent');
    await nats.start();
    let ref = 10;
    while ((await post(a, late.id, ref++)) !== 'sent') await systemClock.sleep(100);
    expect(await post(a, far.id, 5)).toBe('sent');
    expect(await post(late, near.id, 6)).toBe('sent');
    for (const who of [a, near, far, late]) expect(who.socket.readyState).toBe(who.socket.OPEN);
    expect(far.deliveries).toHaveLength(2);
    expect(late.deliveries).toHaveLength(2);
  });

  it('NATS not there at the start: serves its own pairs, is not ready, and joins when it comes', async () => {
    await nats.kill();
    const one = await startServer(scope, ['--nats', nats.url]);
    await readiness(one, 503);
    const [a, b] = [await client(one.url), await client(one.url)];
    expect(await post(a, b.id, 1)).toBe('sent');
    expect(await post(a, createIdentity().id, 2)).toBe('unavailable');
    await nats.start();
    await readiness(one, 200);
    const c = await client((await member()).url);
    expect(await post(a, c.id, 3)).toBe('sent');
    expect(await post(c, b.id, 4)).toBe('sent');
  });

  it('of several NATS URLs one that answers is enough', async () => {
    const other = await startNats(scope);
    await other.kill();
    const [one, two] = [await startMember(scope, `${other.url},${nats.url}`), await member()];
    const [a, b] = [await client(one.url), await client(two.url)];
    expect(await post(a, b.id, 1)).toBe('sent');
  });

  it('SIGTERM ends it with 0, with NATS there, away, or stalled', async () => {
    const members = [await member(), await member(), await member()];
    const terminated = async (index: number) => {
      members[index]!.process.child.kill('SIGTERM');
      expect(await members[index]!.process.exit).toBe(0);
    };
    await terminated(0);
    await nats.stall();
    scope.defer(() => nats.resume());
    await terminated(1);
    const dialling = await startServer(scope, ['--nats', nats.url]);
    await systemClock.sleep(200);
    dialling.process.child.kill('SIGTERM');
    expect(await dialling.process.exit).toBe(0);
    await nats.kill();
    await terminated(2);
  });

  it('two nodes, each at another process behind one name, connect with what signalling carries', async () => {
    const members = [await member(), await member()];
    const name = await startBalancer(scope, members);
    const join = async () => {
      const node = await createNode({ servers: [name], host: '127.0.0.1', portMapping: false });
      scope.defer(() => node.close());
      await node.ready();
      return node;
    };
    const [a, b]: [Node, Node] = [await join(), await join()];
    b.onMessage((message, _, pipe) => pipe.send(`heard ${message}`));
    const pipe = await a.connect(b.address, { strategies: ['reverse'] });
    await pipe.send('you');
    expect(String(await pipe.recv({ timeoutMs: 5000 }))).toBe('heard you');
    const out = 'wayleave_backplane_messages_total{direction="out"}';
    const [fromOne, fromOther] = await Promise.all(members.map(({ metrics }) => metric(metrics, out)));
    expect(fromOne! + fromOther!).toBeGreaterThan(0);
  });

  it('a node that lists two processes by their own names stays at both, and is reached when one is killed', async () => {
    const [one, two] = [await member(), await member()];
    const join = (servers: string[]) => createNode({ servers, host: '127.0.0.1', portMapping: false });
    const [a, b] = [await join([one.url, two.url]), await join([two.url, one.url])];
    for (const node of [a, b]) scope.defer(() => node.close());
    await Promise.all([a.ready(), b.ready()]);
    const count = (name: string) =>
      Promise.all([one, two].map(({ metrics }) => metric(metrics, `wayleave_${name}`)));
    while ((await count('clients')).some(n => n !== 2)) await systemClock.sleep(20);
    await systemClock.sleep(1_500); // those who displace each other come back within a second
    expect(await count('registrations_total')).toEqual([2, 2]);
    const reverse = { strategies: ['reverse' as const] };
    await (await a.connect(b.address, reverse)).close();
    await two.kill();
    await (await a.connect(b.address, reverse)).close();
    await (await b.connect(a.address, reverse)).close();
    expect(await metric(one.metrics, 'wayleave_registrations_total')).toBe(2);
  });
});
