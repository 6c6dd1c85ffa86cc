// Whom the relay talks to, for whom, and how often (security.md, rows 33 and 34): every refusal with its twin.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PeerPolicy } from '../../signalling-server/turn/peer-policy.js';
import type { Relay } from '../../signalling-server/turn/relay.js';
import type { Attribute } from '../../src/stun/attributes.js';
import { longTermKey } from '../../src/stun/credentials.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import { allocatedClient, codeOf, portOf, RawClient, startRelay, TCP, UDP } from './turn-raw.js';

const SECRET = 'shared with the issuer';

const REFUSED_V4 = [
  ...[
    '127.0.0.1',
    '127.1.2.3',
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.9.9',
  ],
  ...['192.168.0.1', '192.168.255.255', '169.254.0.1', '169.254.169.254', '100.64.0.1', '100.100.100.200'],
  ...['192.0.0.192', '192.88.99.1', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
  ...['168.63.129.16'], // Azure answers its guests there
];
const REFUSED_V6 = [
  ...[
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
  ],
  ...[
    '2002:7f00:1::',
    '2002:a00:1::',
    '2001::1',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    'fec0::1',
    '100::1',
  ],
];
const ADMITTED = [
  '203.0.113.9',
  '198.51.100.1',
  '192.0.2.77',
  '198.18.0.1',
  '8.8.8.8',
  '1.1.1.1',
  '100.128.0.1',
];

describe('peers', () => {
  let relay: Relay;
  let client: RawClient;
  beforeAll(async () => {
    relay = await startRelay({ allowLoopbackPeers: false, limits: { permissions: 64 } });
    client = await allocatedClient(relay);
  });
  afterAll(() => relay.close());

  it.each(REFUSED_V4.filter(host => host !== '127.0.0.1'))(
    '%s is refused, by permission and by channel',
    async host => {
      expect(codeOf(await client.ask('CreatePermission', [['XOR-PEER-ADDRESS', { host, port: 0 }]]))).toBe(
        403,
      );
      const bind: Attribute[] = [
        ['CHANNEL-NUMBER', 0x4001],
        ['XOR-PEER-ADDRESS', { host, port: 80 }],
      ];
      expect(codeOf(await client.ask('ChannelBind', bind))).toBe(403);
    },
  );

  it.each(ADMITTED)('%s is admitted', async host => {
    expect(codeOf(await client.ask('CreatePermission', [['XOR-PEER-ADDRESS', { host, port: 0 }]]))).toBe(
      'success',
    );
  });

  it('one refused peer refuses the whole request', async () => {
    const both: Attribute[] = [
      ['XOR-PEER-ADDRESS', { host: '203.0.113.50', port: 0 }],
      ['XOR-PEER-ADDRESS', { host: '10.0.0.1', port: 0 }],
    ];
    expect(codeOf(await client.ask('CreatePermission', both))).toBe(403);
  });

  it('IPv6 in every spelling, and the relay’s own machine', () => {
    const policy = new PeerPolicy({
      ownHosts: ['203.0.113.1', '2001:db8::1'],
      machineHosts: ['203.0.113.2'],
    });
    for (const host of [...REFUSED_V4, ...REFUSED_V6, '203.0.113.2'])
      expect([host, policy.verdict(host)]).toEqual([host, 'refused']);
    for (const host of [...ADMITTED, '2001:db8::9', '2606:4700::1'])
      expect([host, policy.verdict(host)]).toEqual([host, 'open']);
    expect(policy.verdict('203.0.113.1')).toBe('own');
    expect(policy.ownIsOpen('203.0.113.1')).toBe(false);
  });

  it('private ranges only by option, and even then neither metadata nor multicast', () => {
    const policy = new PeerPolicy({ ownHosts: [], machineHosts: [], allowPrivatePeers: true });
    for (const host of ['10.0.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1'])
      expect(policy.verdict(host)).toBe('open');
    for (const host of ['127.0.0.1', '169.254.169.254', '168.63.129.16', '224.0.0.1', '0.0.0.0', '::1']) {
      expect(policy.verdict(host)).toBe('refused');
    }
  });

  it('its own address: nothing of this machine is reached by it', async () => {
    // 127.0.0.1 is where this relay relays from, so a permission for it is needed between two of its clients.
    const own = { host: '127.0.0.1', port: portOf(relay) };
    expect(codeOf(await client.ask('CreatePermission', [['XOR-PEER-ADDRESS', own]]))).toBe('success');
    const { dropped } = relay.counters;
    client.indicate([
      ['XOR-PEER-ADDRESS', own],
      ['DATA', Buffer.from('to a service of this machine')],
    ]);
    await client.ask('Refresh'); // comes after it
    expect(relay.counters.dropped).toBe(dropped + 1);
    await using tcp = await RawClient.tcp(portOf(relay));
    await tcp.login(relay.grant('alice'));
    await tcp.ask('Allocate', [TCP]);
    expect(codeOf(await tcp.ask('Connect', [['XOR-PEER-ADDRESS', own]]))).toBe(447);
    expect(codeOf(await tcp.ask('Connect', [['XOR-PEER-ADDRESS', { host: '10.0.0.1', port: 80 }]]))).toBe(
      403,
    );
  });
});

describe('credentials', () => {
  let relay: Relay;
  beforeAll(async () => {
    relay = await startRelay({ secret: SECRET });
  });
  afterAll(() => relay.close());

  const passwordOf = (username: string, secret = SECRET) =>
    createHmac('sha1', secret).update(username).digest('base64');
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3_600;

  async function enter(username: string, credential: string): Promise<number | 'success' | 'silence'> {
    await using client = await RawClient.udp(portOf(relay));
    await client.login({ username, credential });
    return codeOf(await client.ask('Allocate', [UDP]));
  }

  it('a grant lets in, and one made elsewhere with the same secret does too', async () => {
    const { username, credential, expiresAt, urls } = relay.grant('node-1');
    expect(await enter(username, credential)).toBe('success');
    expect(urls).toEqual(relay.urls);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(() => relay.grant('node-1', { ttlS: 3_601 })).toThrow(
      expect.objectContaining({ code: 'bad-option' }),
    );
    const foreign = `${inAnHour()}:node-2`;
    expect(await enter(foreign, passwordOf(foreign))).toBe('success');
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', ''])(
    'a user called %j is nobody, whatever the password',
    async name => {
      const passwords = [
        'function Object() { [native code] }',
        'undefined',
        '[object Object]',
        passwordOf(name),
      ];
      for (const password of passwords) expect(await enter(name || ' ', password)).toBe(401);
    },
  );

  it.each(['constructor', '__proto__', 'toString'])(
    'granted to %j they are credentials like any other',
    async id => {
      const { username, credential } = relay.grant(id);
      expect(await enter(username, credential)).toBe('success');
      expect(await enter(username, 'guess')).toBe(401);
    },
  );

  it('expired, made with another secret, or without expiry: 401', async () => {
    const past = `${Math.floor(Date.now() / 1000) - 1}:node`;
    const other = `${inAnHour()}:node`;
    expect(await enter(past, passwordOf(past))).toBe(401);
    expect(await enter(other, passwordOf(other, 'another secret'))).toBe(401);
    for (const name of ['node', ':node', `${inAnHour()}:`, `-1:node`, `1e99:node`, `${inAnHour()}`]) {
      expect([name, await enter(name, passwordOf(name))]).toEqual([name, 401]);
    }
  });

  it('an allocation outlives its credentials for whoever holds it, and nobody else', async () => {
    await using client = await RawClient.udp(portOf(relay));
    const soon = `${Math.floor(Date.now() / 1000) + 2}:brief`;
    await client.login({ username: soon, credential: passwordOf(soon) });
    expect(codeOf(await client.ask('Allocate', [UDP]))).toBe('success');
    await new Promise(resolve => setTimeout(resolve, 2_100));
    expect(codeOf(await client.ask('Refresh'))).toBe('success');
    expect(await enter(soon, passwordOf(soon))).toBe(401);
    await client.login(relay.grant('another')); // on the same 5-tuple
    expect(codeOf(await client.ask('Refresh'))).toBe(441);
  });

  it('a nonce is good for its own address and time, and for nothing else', async () => {
    await using client = await RawClient.udp(portOf(relay));
    await client.login(relay.grant('alice'));
    const { attributes, integrity } = client.authorization!;
    const forged = attributes.map(each => (each[0] === 'NONCE' ? (['NONCE', `${each[1]}x`] as const) : each));
    client.authorization = { ...client.authorization!, attributes: forged, integrity };
    const answer = await client.ask('Allocate', [UDP]);
    expect(codeOf(answer)).toBe(438);
    expect(answer!.get('NONCE')).toBeDefined();
  });

  it('SHA-256 where it is asked for, and no bidding down of what was offered', async () => {
    await using client = await RawClient.udp(portOf(relay));
    const account = relay.grant('alice');
    await client.login(account);
    const { attributes } = client.authorization!;
    expect(client.authorization!.integrity.hashes).toEqual(['sha256']);
    const robbed = attributes.filter(([name]) => name !== 'PASSWORD-ALGORITHMS');
    client.authorization = { ...client.authorization!, attributes: robbed };
    expect(codeOf(await client.ask('Allocate', [UDP]))).toBe(400);
    const key = longTermKey({ username: account.username, password: account.credential }, 'wayleave');
    const plain = robbed.filter(([name]) => name !== 'PASSWORD-ALGORITHM');
    client.authorization = { ...client.authorization!, attributes: plain, integrity: { key } };
    expect(codeOf(await client.ask('Allocate', [UDP]))).toBe('success'); // RFC 8489: silence about it means MD5
  });
});

describe('quotas', () => {
  it('by user: 486 for one, the next user unaffected, and a place given back is a place', async () => {
    await using relay = await startRelay({ limits: { allocationsPerUser: 2 } });
    await using one = await allocatedClient(relay, 'greedy');
    await using two = await allocatedClient(relay, 'greedy');
    await using three = await RawClient.udp(portOf(relay));
    await three.login(relay.grant('greedy'));
    expect(codeOf(await three.ask('Allocate', [UDP]))).toBe(486);
    await using honest = await allocatedClient(relay, 'honest');
    expect(codeOf(await honest.ask('Refresh'))).toBe('success');
    expect(codeOf(await two.ask('Refresh', [['LIFETIME', 0]]))).toBe('success');
    expect(codeOf(await three.ask('Allocate', [UDP]))).toBe('success');
    expect(codeOf(await one.ask('Refresh'))).toBe('success');
  });

  it('by source and in total', async () => {
    await using bySource = await startRelay({ limits: { allocationsPerSource: 1 } });
    await using inTotal = await startRelay({ limits: { allocations: 1 } });
    for (const [relay, code] of [
      [bySource, 486],
      [inTotal, 508],
    ] as const) {
      await using first = await allocatedClient(relay, 'a');
      await using second = await RawClient.udp(portOf(relay));
      await second.login(relay.grant('b'));
      expect(codeOf(await second.ask('Allocate', [UDP]))).toBe(code);
      expect(codeOf(await first.ask('Refresh'))).toBe('success');
    }
  });

  it('permissions and channels of one allocation', async () => {
    await using relay = await startRelay({ limits: { permissions: 2, channels: 1 } });
    await using client = await allocatedClient(relay);
    const peer = (last: number, port = 0): Attribute => [
      'XOR-PEER-ADDRESS',
      { host: `203.0.113.${last}`, port },
    ];
    expect(codeOf(await client.ask('CreatePermission', [peer(1)]))).toBe('success');
    expect(codeOf(await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4000], peer(2, 9)]))).toBe('success');
    expect(codeOf(await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4001], peer(2, 10)]))).toBe(508);
    expect(codeOf(await client.ask('CreatePermission', [peer(3)]))).toBe(508);
    expect(codeOf(await client.ask('CreatePermission', [peer(1)]))).toBe('success'); // known ones are refreshed
  });

  it('a flood of allocations from one source is refused, and an honest client of the same source goes on', async () => {
    await using relay = await startRelay({
      limits: { allocationsPerUser: 4, challenges: { burst: 50, perSecond: 10 } },
    });
    await using honest = await allocatedClient(relay, 'honest');
    await using flooder = await RawClient.udp(portOf(relay));
    for (let i = 0; i < 5_000; i++) {
      const transactionId = newTransactionId();
      flooder.send(encodeMessage({ class: 'request', method: 'Allocate', transactionId, attributes: [UDP] }));
    }
    const account = relay.grant('flooder');
    const logins = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = await RawClient.tcp(portOf(relay));
        await client.login(account);
        const code = codeOf(await client.ask('Allocate', [UDP]));
        return { client, code };
      }),
    );
    expect(logins.filter(({ code }) => code === 'success')).toHaveLength(4);
    expect(logins.filter(({ code }) => code === 486)).toHaveLength(16);
    expect(codeOf(await honest.ask('Refresh'))).toBe('success');
    expect(relay.counters.rateLimited).toBeGreaterThan(100);
    expect(relay.counters.allocationsNow).toBe(5);
    for (const { client } of logins) await client[Symbol.asyncDispose]();
  });
});

describe('amplification (row 34)', () => {
  it('no answer to a stranger is more than 2.5 times its request, whatever the request', async () => {
    await using relay = await startRelay();
    await using client = await RawClient.udp(portOf(relay));
    const software = (length: number): Attribute[] => (length < 0 ? [] : [['SOFTWARE', 'x'.repeat(length)]]);
    let answered = 0;
    for (const method of [
      'Allocate',
      'Refresh',
      'CreatePermission',
      'ChannelBind',
      'Connect',
      'ConnectionBind',
      'Binding',
    ] as const) {
      for (const own of [[], [UDP]]) {
        for (const length of [-1, 0, 4, 8, 16, 40]) {
          for (const fingerprint of [false, true]) {
            const transactionId = newTransactionId();
            const attributes: Attribute[] = [...own, ...software(length)];
            const request = encodeMessage({
              class: 'request',
              method,
              transactionId,
              attributes,
              fingerprint,
            });
            client.send(request);
            let answer = await client.hear(200);
            // one that comes late, on a busy machine, belongs to the request before
            while (answer && !answer.subarray(8, 20).equals(transactionId)) answer = await client.hear(200);
            if (!answer) continue;
            answered++;
            expect([method, request.length, answer.length / request.length <= 2.5]).toEqual([
              method,
              request.length,
              true,
            ]);
          }
        }
      }
    }
    expect(answered).toBeGreaterThan(80); // the twin: it does answer
  });

  it('and one source gets only so many', async () => {
    await using relay = await startRelay({ limits: { challenges: { burst: 10, perSecond: 1 } } });
    await using client = await RawClient.udp(portOf(relay));
    let answers = 0;
    for (let i = 0; i < 200; i++) {
      const transactionId = newTransactionId();
      client.send(encodeMessage({ class: 'request', method: 'Allocate', transactionId, attributes: [UDP] }));
    }
    while (await client.hear(300)) answers++;
    expect(answers).toBeGreaterThanOrEqual(10);
    expect(answers).toBeLessThan(20);
  });
});
