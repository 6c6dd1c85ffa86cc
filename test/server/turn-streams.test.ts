// Relayed byte streams, end to end: our client and our relay, every transport, ends that come and go.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createStunResponder } from '../../signalling-server/stun/responder.js';
import { createRelay, type Relay } from '../../signalling-server/turn/relay.js';
import { StreamStunClient } from '../../src/stun/stream-client.js';
import { UdpStunClient } from '../../src/stun/udp-client.js';
import { openTurn } from '../../src/turn/client.js';
import { openRelay } from '../../src/turn/relay-stream.js';
import { ServerRest } from '../../src/turn/server-rest.js';
import { FakeClock } from '../fake-clock.js';
import { TLS_CERTIFICATE, TLS_KEY } from '../interop/turn/certificate.js';
import { streamBetween } from '../relayed-pair.js';
import { codeOf, portOf, RawClient, serverOf, startRelay, TCP } from './turn-raw.js';

/** 1 GiB by hand: `WAYLEAVE_BULK_BYTES=1073741824`. */
const BULK_BYTES = Number(process.env.WAYLEAVE_BULK_BYTES ?? 32 * 1024 * 1024);
const tls = { cert: TLS_CERTIFICATE, key: TLS_KEY };

/** Two ends that know of each other's relayed addresses, and the stream between them. */
async function joined(
  relay: Relay,
  transport: 'tcp' | 'tls' = 'tcp',
  other = relay,
): Promise<[Duplex, Duplex]> {
  const initiator = await openRelay([await serverOf(relay, transport, 'initiator', TLS_CERTIFICATE)]);
  const responder = await openRelay([await serverOf(other, transport, 'responder', TLS_CERTIFICATE)]);
  return streamBetween(initiator, responder);
}

/** All that comes until the end. Not by iteration: that would destroy the stream, the way back included. */
async function collected(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', chunk => void chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

/** Resolves at 'close', with or without an error before it. */
const closing = (stream: Duplex) =>
  new Promise<void>(resolve => stream.on('error', () => {}).once('close', () => resolve()));

const soon = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

describe('a stream between two clients of one relay', () => {
  it.each(['tcp', 'tls'] as const)(
    'over %s, all of it, both ways, each end closed by itself',
    async transport => {
      await using relay = await startRelay({ tls });
      const [left, right] = await joined(relay, transport);
      const [there, back] = [randomBytes(3_000_000), randomBytes(1_000_000)];
      left.end(there);
      expect((await collected(right)).equals(there)).toBe(true);
      right.end(back); // the other direction outlives the first
      expect((await collected(left)).equals(back)).toBe(true);
      await soon(100);
      expect(relay.counters).toMatchObject({ streams: 1, allocationsNow: 0 });
      expect(relay.counters.bytesToPeers + relay.counters.bytesToClients).toBe(4_000_000);
    },
  );

  it(`${BULK_BYTES} bytes, by hash`, async () => {
    await using relay = await startRelay();
    const [left, right] = await joined(relay);
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    right.on('data', chunk => void received.update(chunk));
    const ended = once(right, 'end');
    for (let rest = BULK_BYTES; rest > 0; ) {
      const chunk = randomBytes(Math.min(rest, 1 << 20));
      rest -= chunk.length;
      sent.update(chunk);
      if (!left.write(chunk)) await once(left, 'drain');
    }
    left.end();
    await ended;
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    right.end();
  }, 300_000);

  it('needs neither loopback nor private peers, and no port but the listening one', async () => {
    await using relay = await startRelay({ allowLoopbackPeers: false });
    const [left, right] = await joined(relay);
    left.write('ping');
    expect(String((await once(right, 'data'))[0])).toBe('ping');
  });

  it('over IPv6', async () => {
    await using relay = await startRelay({ host: '::1' });
    const [left, right] = await joined(relay);
    left.write('ping');
    expect(String((await once(right, 'data'))[0])).toBe('ping');
  });

  it('between two relays, over the network', async () => {
    await using here = await startRelay({ host: '127.0.0.1' });
    await using there = await startRelay({ host: '127.0.0.2' });
    const [left, right] = await joined(here, 'tcp', there);
    left.write('ping');
    expect(String((await once(right, 'data'))[0])).toBe('ping');
  });

  it('only with permission: 447 for the stranger, and no word of it to the other end', async () => {
    await using relay = await startRelay();
    await using left = await openTurn(await serverOf(relay, 'tcp', 'left'), { relayed: 'tcp' });
    await using right = await openTurn(await serverOf(relay, 'tcp', 'right'), { relayed: 'tcp' });
    let attempts = 0;
    right.onConnectionAttempt = () => void attempts++;
    await expect(left.connect(right.relayed)).rejects.toMatchObject({ number: 447 });
    expect(attempts).toBe(0);
    await right.permit([left.relayed.host]);
    const coming = new Promise<Socket>(resolve => {
      right.onConnectionAttempt = id => void right.accept(id).then(resolve);
    });
    const near = await left.connect(right.relayed);
    await coming;
    await expect(left.connect(right.relayed)).rejects.toMatchObject({ number: 446 });
    near.destroy();
  });

  it('what was announced to one user cannot be fetched by another', async () => {
    await using relay = await startRelay();
    await using left = await openTurn(await serverOf(relay, 'tcp', 'left'), { relayed: 'tcp' });
    await using right = await openTurn(await serverOf(relay, 'tcp', 'right'), { relayed: 'tcp' });
    await right.permit([left.relayed.host]);
    const announced = new Promise<number>(resolve => {
      right.onConnectionAttempt = resolve;
    });
    const connecting = left.connect(right.relayed);
    const id = await announced;
    await using thief = await RawClient.tcp(portOf(relay));
    await thief.login(relay.grant('thief'));
    expect(codeOf(await thief.ask('ConnectionBind', [['CONNECTION-ID', id]]))).toBe(441);
    const far = await right.accept(id);
    (await connecting).write('for the right one');
    expect(String((await once(far, 'data'))[0])).toBe('for the right one');
    await expect(right.accept(id)).rejects.toMatchObject({ number: 400 }); // once only
  });

  it('backpressure: who does not read stops who writes, and nothing piles up between', async () => {
    await using relay = await startRelay();
    const [left, right] = await joined(relay);
    right.pause();
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024, 1);
    // Kernel buffers take a few MiB on each leg. A relay that took all it can get would take this, too.
    const tooMuch = 64 * 1024 * 1024;
    while (written < tooMuch) {
      written += chunk.length;
      if (left.write(chunk)) continue;
      const drained = await Promise.race([once(left, 'drain'), soon(500).then(() => undefined)]);
      if (!drained) break;
    }
    expect(written).toBeLessThan(tooMuch);
    let received = 0;
    right.on('data', data => {
      received += data.length;
    });
    left.end();
    right.resume();
    await once(right, 'end');
    expect(received).toBe(written);
  });

  it('a bandwidth cap slows it down and loses nothing', async () => {
    await using relay = await startRelay({ limits: { bytesPerSecondPerUser: 1_000_000 } });
    const [left, right] = await joined(relay);
    const data = randomBytes(1_000_000);
    const start = performance.now();
    left.end(data);
    expect((await collected(right)).equals(data)).toBe(true);
    expect(performance.now() - start).toBeGreaterThan(500); // a quarter of a second may pass at once
    right.destroy();
  });
});

describe('a stream over datagrams, for servers that relay no connections', () => {
  it.each(['udp', 'tcp', 'tls'] as const)('over %s, all of it, both ways', async transport => {
    await using relay = await startRelay({ tls });
    const at = (user: string) => serverOf(relay, transport, user, TLS_CERTIFICATE);
    const initiator = await openRelay([await at('initiator')], { relayed: 'udp' });
    const responder = await openRelay([await at('responder')], { relayed: 'udp' });
    const [left, right] = await streamBetween(initiator, responder);
    const [there, back] = [randomBytes(1_000_000), randomBytes(300_000)];
    const ends = Promise.all([closing(left!), closing(right!)]);
    left!.end(there);
    expect((await collected(right!)).equals(there)).toBe(true);
    right!.end(back);
    expect((await collected(left!)).equals(back)).toBe(true);
    await ends;
    await expect.poll(() => relay.counters.allocationsNow).toBe(0);
  });
});

describe('a stream to a peer that is no client', () => {
  it('is dialled from the relayed port, and the port listens again', async () => {
    await using relay = await startRelay();
    const server = createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const peer = { host: '127.0.0.1', port: (server.address() as { port: number }).port };
    await using client = await openTurn(await serverOf(relay, 'tcp'), { relayed: 'tcp' });
    const seen = once(server, 'connection') as Promise<[Socket]>;
    const socket = await client.connect(peer);
    expect((await seen)[0].remotePort).toBe(client.relayed.port);
    socket.write('echo');
    expect(String((await once(socket, 'data'))[0])).toBe('echo');

    await client.permit(['127.0.0.1']);
    const coming = new Promise<Socket>(resolve => {
      client.onConnectionAttempt = id => void client.accept(id).then(resolve);
    });
    const stranger = connect(client.relayed.port, '127.0.0.1');
    const accepted = await coming;
    stranger.write('hello');
    expect(String((await once(accepted, 'data'))[0])).toBe('hello');
    for (const each of [socket, stranger, accepted]) each.destroy();
    server.close();
  });

  it('comes in only with permission', async () => {
    await using relay = await startRelay();
    await using client = await openTurn(await serverOf(relay, 'tcp'), { relayed: 'tcp' });
    const stranger = connect(client.relayed.port, '127.0.0.1');
    stranger.on('error', () => {});
    stranger.resume();
    await once(stranger, 'close');
  });

  it('that refuses is 447', async () => {
    await using relay = await startRelay();
    await using client = await openTurn(await serverOf(relay, 'tcp'), { relayed: 'tcp' });
    await expect(client.connect({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({ number: 447 });
  });
});

describe('ends', () => {
  it('the relay closed mid-transfer: both streams end, both allocations say why', async () => {
    const relay = await startRelay();
    const [left, right] = await joined(relay);
    right.resume();
    left.write(Buffer.alloc(1_000_000));
    const closed = Promise.all([closing(left), closing(right)]);
    await relay.close();
    await closed;
  });

  it('one end closed: so is the other, and both allocations are given back', async () => {
    await using relay = await startRelay();
    const [left, right] = await joined(relay);
    const closed = closing(right);
    right.resume();
    left.destroy();
    right.end();
    await closed;
    await soon(100);
    expect(relay.counters.allocationsNow).toBe(0);
  });

  it('dropped unused, it leaves no trace', async () => {
    await using relay = await startRelay();
    const end = await openRelay([await serverOf(relay, 'tcp')]);
    expect(relay.counters.allocationsNow).toBe(1);
    await end.close();
    expect(relay.counters.allocationsNow).toBe(0);
    await soon(50);
    expect(relay.counters.connectionsNow).toBe(0);
  });

  it('aborted at any moment, it leaves no trace either', async () => {
    await using relay = await startRelay({ limits: { allocationsPerUser: 1_000 } });
    const server = await serverOf(relay, 'udp');
    for (let i = 0; i < 40; i++) {
      const controller = new AbortController();
      const opening = openTurn(server, { signal: controller.signal });
      setTimeout(() => controller.abort(), i / 8);
      await opening.then(
        client => client.close(),
        error => expect(error).toMatchObject({ code: 'aborted' }),
      );
    }
    await expect.poll(() => relay.counters.allocationsNow, { timeout: 5_000 }).toBe(0);
  });

  it('a connection that never asks for anything is closed', async () => {
    await using relay = await startRelay({ limits: { idleConnectionMs: 200 }, tls });
    for (const word of ['', 'x', '\u0016\u0003\u0001', '\u0000\u0003\u0000\u0008']) {
      const socket = connect(portOf(relay), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(word);
      socket.resume();
      await once(socket, 'close');
    }
  });
});

describe('several servers', () => {
  it('the one that answers wins, dead and unwilling ones cost no more than its own time', async () => {
    await using relay = await startRelay();
    await using full = await startRelay({ host: '127.0.0.3', limits: { allocations: 0 } });
    const good = await serverOf(relay, 'tcp');
    const dead = { ...good, endpoint: { host: '127.0.0.4', port: 9 } };
    await using end = await openRelay([dead, await serverOf(full, 'tcp'), good]);
    expect(end.server).toBe(good);
  });

  it('a full one is left alone for a minute (RFC 8656 section 7.4)', async () => {
    const clock = new FakeClock();
    const rest = new ServerRest();
    await using relay = await startRelay({ limits: { allocationsPerUser: 1 } });
    const ask = async () => openRelay([await serverOf(relay, 'tcp')], { rest, clock });
    const first = await ask();
    await expect(ask()).rejects.toMatchObject({ number: 486 });
    await first.close();
    const asked = relay.counters.refusals.get(401);
    await expect(ask()).rejects.toMatchObject({ number: 486 });
    expect(relay.counters.refusals.get(401)).toBe(asked); // not even a challenge: it was not asked
    await clock.advance(60_000);
    await (await ask()).close();
  });

  it('when all refuse, the reason is told', async () => {
    await using full = await startRelay({ limits: { allocations: 0 } });
    await expect(openRelay([await serverOf(full, 'tcp')])).rejects.toMatchObject({
      number: 508,
      remedyKind: 'later',
    });
    await expect(openRelay([])).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openRelay([await serverOf(full, 'udp')])).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('one port for STUN and TURN', () => {
  it('Binding is answered with all of RFC 5780, everything else is relayed, on UDP, TCP and TLS', async () => {
    await using relay = await createRelay({ host: '127.0.0.1', port: 0, listen: false, tls });
    await using stun = await createStunResponder({
      host: '127.0.0.1',
      alternateHost: '127.0.0.2',
      port: 0,
      neighbour: relay,
    });
    const { port } = stun.endpoints[0]!;
    const account = relay.grant('alice');
    const at = (transport: 'udp' | 'tcp' | 'tls') => ({
      endpoint: { host: '127.0.0.1', port },
      transport,
      ...account,
      tls: { ca: TLS_CERTIFICATE },
    });
    for (const transport of ['udp', 'tcp', 'tls'] as const) {
      await using client = await openTurn(at(transport));
      expect(client.relayed.host).toBe('127.0.0.1');
    }
    await using tcp = await StreamStunClient.open({ server: { host: '127.0.0.1', port } });
    const answer = await tcp.request({});
    expect(answer.message.has('OTHER-ADDRESS')).toBe(true);
    await using udp = await UdpStunClient.open({ family: 4 });
    expect((await udp.request({ host: '127.0.0.1', port }, {})).message.has('OTHER-ADDRESS')).toBe(true);

    // One connection, first for STUN, then for TURN, then for STUN again.
    await using raw = await RawClient.tcp(port);
    expect(codeOf(await raw.ask('Binding'))).toBe('success');
    await raw.login(account);
    expect(codeOf(await raw.ask('Allocate', [TCP]))).toBe('success');
    raw.authorization = undefined;
    expect(codeOf(await raw.ask('Binding'))).toBe('success');
  });
});
