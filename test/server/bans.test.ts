// Sources that keep breaking the rules: when they are shut out, for how long, and who never is.
import { afterEach, describe, expect, it } from 'vitest';
import { type BanLimits, Bans } from '../../signalling-server/bans.js';
import { createServer, type ServerOptions } from '../../signalling-server/index.js';
import { resolveServerOptions } from '../../signalling-server/options.js';
import { createStunResponder } from '../../signalling-server/stun/responder.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { StreamStunClient } from '../../src/stun/stream-client.js';
import { UdpStunClient } from '../../src/stun/udp-client.js';
import { metric, RawClient } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const DEFAULTS: BanLimits = resolveServerOptions({});
const SOURCE = '203.0.113.7';

function table(limits: Partial<BanLimits> = {}) {
  let nowMs = 0;
  const bans = new Bans({ ...DEFAULTS, ...limits }, () => nowMs);
  const pass = (ms: number) => (nowMs += ms);
  const offend = (times: number, host = SOURCE) => {
    for (let i = 0; i < times; i++) bans.accuse(host, 'protocol-error');
  };
  return { bans, pass, offend };
}

describe('a ban', () => {
  it('comes with the 30th offence within a minute, lasts a minute, and ends by itself', () => {
    const { bans, pass, offend } = table();
    offend(29);
    expect(bans.isBanned(SOURCE)).toBe(false);
    offend(1);
    expect([bans.isBanned(SOURCE), bans.active, bans.imposed]).toEqual([true, 1, 1]);
    pass(59_999);
    expect(bans.isBanned(SOURCE)).toBe(true);
    pass(1);
    expect([bans.isBanned(SOURCE), bans.active]).toEqual([false, 0]);
  });

  it('is twice as long each time, up to an hour; after an hour of good conduct all is forgotten', () => {
    const { bans, pass, offend } = table();
    const minutes: number[] = [];
    const sit = () => {
      offend(30);
      let ms = 0;
      for (; bans.isBanned(SOURCE); ms += 1000) pass(1000);
      minutes.push(ms / 60_000);
    };
    for (let i = 0; i < 8; i++) sit();
    pass(3_600_001);
    sit();
    expect(minutes).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 1]);
  });

  it('does not come to who offends slowly: offences are forgiven at the rate at which they would count', () => {
    const { bans, pass, offend } = table();
    for (let i = 0; i < 1000; i++) {
      offend(1);
      pass(2001);
    }
    expect(bans.imposed).toBe(0);
  });

  it('does not grow from what was still open when it began', () => {
    const { bans, pass, offend } = table();
    offend(30);
    offend(200);
    pass(60_000);
    offend(1);
    expect([bans.isBanned(SOURCE), bans.imposed]).toEqual([false, 1]);
  });

  it('is for a whole IPv6 /64, and for nobody next to it', () => {
    const { bans, offend } = table();
    offend(30, '2001:db8:0:1::1');
    expect(bans.isBanned('2001:db8:0:1:ffff::2')).toBe(true);
    expect(bans.isBanned('2001:db8:0:2::1')).toBe(false);
  });

  it('weighs a flood more, and honest misfortunes nothing', () => {
    const { bans } = table({ banAfter: 5 });
    for (const reason of ['silent', 'too-slow', 'taken-over', 'draining', 'too-many-connections'] as const)
      for (let i = 0; i < 100; i++) bans.accuse(SOURCE, reason);
    expect([bans.imposed, bans.size]).toEqual([0, 0]);
    expect(bans.accuse(SOURCE, 'flooding')).toBe(60_000);
  });

  it.each([
    '127.0.0.1',
    '::1',
    '10.0.0.5',
    '192.168.1.1',
    '172.17.0.1',
    '100.64.0.9',
    'fe80::1',
    'fd00::1',
    '',
    'constructor',
  ])('never comes to %j: there stands this network, or a proxy that nobody listed', host => {
    const { bans, offend } = table();
    offend(1000, host);
    expect([bans.isBanned(host), bans.size]).toEqual([false, 0]);
  });

  it('0 switches bans off', () => {
    const { bans, offend } = table({ banAfter: 0 });
    offend(1000);
    expect([bans.isBanned(SOURCE), bans.size]).toEqual([false, 0]);
  });

  it('the table keeps its bound, whoever comes: the one that offended longest ago gives way', () => {
    const { bans, offend } = table({ banTable: 100 });
    offend(30, '203.0.113.1');
    for (let i = 0; i < 5000; i++) offend(1, `198.18.${i >> 8}.${i & 255}`);
    expect([bans.size, bans.isBanned('203.0.113.1')]).toEqual([100, false]);
  });

  it('three misconfigured nodes behind one NAT do not take its service away', () => {
    // A node waits at random up to 250 ms, 500 ms, 1 s, … 30 s: here each waits the shortest half of that.
    const { bans, pass } = table();
    const attempts = Array.from({ length: 3 }, () => {
      const times: number[] = [];
      for (let atMs = 0, failures = 0; atMs < 600_000; failures++) {
        times.push(atMs);
        atMs += Math.min(30_000, 250 * 2 ** failures) / 2;
      }
      return times;
    });
    let nowMs = 0;
    for (const atMs of attempts.flat().sort((a, b) => a - b)) {
      pass(atMs - nowMs);
      nowMs = atMs;
      bans.accuse(SOURCE, 'not-admitted');
    }
    expect(bans.imposed).toBe(0);
  });
});

describe('a server that bans', () => {
  const start = async (options: ServerOptions = {}) => {
    const server = scope.use(
      await createServer({
        host: '127.0.0.1',
        port: 0,
        stunPort: null,
        trustedProxies: ['127.0.0.1'],
        ...options,
      }),
    );
    return server.listening;
  };
  const from = (url: string, host: string) =>
    new RawClient(scope, url, undefined, { 'x-forwarded-for': host });

  it('refuses the source, keeps who is registered, serves everybody else, and lets the source back', async () => {
    const { signalling, metrics } = await start({ banAfter: 3, banMs: 500 });
    const neighbour = await from(signalling, SOURCE).register();
    for (let i = 0; i < 3; i++) {
      const bad = from(signalling, SOURCE);
      await bad.heard('challenge');
      bad.say('nonsense');
      expect(await bad.closed).toBe(4002);
    }
    await expect(from(signalling, SOURCE).register()).rejects.toThrow(/1006/);
    expect(await metric(metrics, 'wayleave_bans_active')).toBe(1);
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="banned"}')).toBe(1);
    const other = await from(signalling, '203.0.113.8').register();
    other.post(neighbour.id, 1); // the connection from before the ban lives on
    await neighbour.heard('deliver');
    await systemClock.sleep(500);
    await from(signalling, SOURCE).register();
    expect(await metric(metrics, 'wayleave_bans_active')).toBe(0);
    expect(await metric(metrics, 'wayleave_bans_total')).toBe(1);
  });

  it.each([
    [
      'failed admissions',
      async (client: RawClient) => {
        await client.heard('challenge');
        client.say({ type: 'register', id: client.id, host: 'elsewhere', signature: 'A'.repeat(86) });
      },
    ],
    ['silence', async () => {}],
  ])('for %s', async (_, offend) => {
    const { signalling, metrics } = await start({ banAfter: 3, registerWithinMs: 200 });
    await Promise.all(
      Array.from({ length: 3 }, async () => {
        const client = from(signalling, SOURCE);
        await offend(client);
        await client.closed;
      }),
    );
    expect(await metric(metrics, 'wayleave_bans_active')).toBe(1);
  });

  it('for floods', async () => {
    const { signalling, metrics } = await start({ banAfter: 5 });
    const flood = await from(signalling, SOURCE).register();
    for (let ref = 0; ref < 2000; ref++) flood.post(flood.id, ref);
    expect(await flood.closed).toBe(4005);
    expect(await metric(metrics, 'wayleave_bans_active')).toBe(1);
  });

  it('does not ban the proxy for what comes through it, nor loopback', async () => {
    const { signalling, metrics } = await start({ banAfter: 1 });
    const bad = new RawClient(scope, signalling);
    await bad.heard('challenge');
    bad.say('nonsense');
    await bad.closed;
    await from(signalling, '203.0.113.8').register();
    expect(await metric(metrics, 'wayleave_bans_active')).toBe(0);
  });

  it('is consulted for STUN and TURN over TCP, where a source has proved itself, and not over UDP', async () => {
    let banned = false;
    await using responder = await createStunResponder({ host: '127.0.0.1', port: 0, admits: () => !banned });
    const server = responder.endpoints[0]!;
    const overTcp = async () => {
      await using client = await StreamStunClient.open({ server });
      return (await client.request({})).message.class;
    };
    await using udp = await UdpStunClient.open({ family: 4 });
    expect(await overTcp()).toBe('success');
    banned = true;
    await expect(overTcp()).rejects.toThrow();
    expect(responder.counters.refused).toBe(1);
    expect((await udp.request(server, {})).message.class).toBe('success');
  });
});
