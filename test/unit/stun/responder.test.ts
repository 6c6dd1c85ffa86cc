// The STUN responder: what it answers, from where, how much, and what it will not be made to do.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SourceLimiter, sourceOf } from '../../../signalling-server/source-limiter.js';
import {
  type Asked,
  answerTo,
  MAX_AMPLIFICATION,
  type StunSite,
} from '../../../signalling-server/stun/answers.js';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { Scope } from '../../../src/net/scope.js';
import type { Attribute } from '../../../src/stun/attributes.js';
import { mappedAddress } from '../../../src/stun/client.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { StreamStunClient } from '../../../src/stun/stream-client.js';
import { UdpStunClient } from '../../../src/stun/udp-client.js';
import { attributes } from './arbitrary.js';

const HERE = '127.0.0.1';
const THERE = '127.0.0.2';
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const SITE: StunSite = { hosts: ['192.0.2.1', '192.0.2.2'], ports: [3478, 3479] };
const ONE_ADDRESS: StunSite = { hosts: ['192.0.2.1'], ports: [3478, 3479] };
const from = { host: '203.0.113.9', port: 40_000 };

function ask(wanted: readonly Attribute[], change: Partial<Asked> & { site?: StunSite; id?: Buffer } = {}) {
  const message = decodeMessage(
    encodeMessage({
      class: 'request',
      method: 'Binding',
      transactionId: change.id ?? newTransactionId(),
      attributes: [...wanted, ['SOFTWARE', 'a client']],
      fingerprint: change.id === undefined,
    }),
    { classic: true },
  );
  const asked: Asked = { message, from, at: { host: 0, port: 0 }, transport: 'udp', ...change };
  const answer = answerTo(asked, change.site ?? SITE);
  if (!answer || !('send' in answer)) return answer;
  return { via: answer.via, message: decodeMessage(answer.send, { classic: true }) };
}
const replyTo = (...args: Parameters<typeof ask>) =>
  ask(...args) as Exclude<ReturnType<typeof ask>, undefined> & {
    message: ReturnType<typeof decodeMessage>;
  };

describe('answers of a site with two addresses', () => {
  it('say who asked, where the answer comes from and where else one could ask', () => {
    const { message, via } = replyTo([]) as { message: ReturnType<typeof decodeMessage>; via: unknown };
    expect(message.attributes()).toEqual([
      ['XOR-MAPPED-ADDRESS', from],
      ['OTHER-ADDRESS', { host: '192.0.2.2', port: 3479 }],
      ['RESPONSE-ORIGIN', { host: '192.0.2.1', port: 3478 }],
    ]);
    expect(via).toEqual({ host: 0, port: 0 });
    expect(message.has('FINGERPRINT')).toBe(true);
  });

  it.each([
    [false, true, 0, 1, '192.0.2.1', 3479],
    [true, false, 1, 0, '192.0.2.2', 3478],
    [true, true, 1, 1, '192.0.2.2', 3479],
    [false, false, 0, 0, '192.0.2.1', 3478],
  ])('with change address %s, port %s, come from there', (address, port, viaHost, viaPort, host, origin) => {
    const reply = replyTo([['CHANGE-REQUEST', { address, port }]]);
    expect(reply).toMatchObject({ via: { host: viaHost, port: viaPort } });
    expect(reply.message.get('RESPONSE-ORIGIN')).toEqual({ host, port: origin });
  });

  it('from every corner name the opposite one', () => {
    for (const host of [0, 1] as const) {
      for (const port of [0, 1] as const) {
        const other = replyTo([], { at: { host, port } }).message.get('OTHER-ADDRESS');
        expect(other).toEqual({ host: SITE.hosts[1 - host], port: SITE.ports[1 - port] });
      }
    }
  });

  it('for a client of RFC 3489 are in its words', () => {
    const { message } = replyTo([], { id: Buffer.alloc(16, 5) });
    expect(message.classic).toBe(true);
    expect(message.get('MAPPED-ADDRESS')).toEqual(from);
    expect(message.get('CHANGED-ADDRESS')).toEqual({ host: '192.0.2.2', port: 3479 });
    expect(message.has('XOR-MAPPED-ADDRESS')).toBe(false);
  });
});

describe('answers of a site with one address', () => {
  it('offer the other port, and refuse the other address', () => {
    const { message } = replyTo([], { site: ONE_ADDRESS });
    expect(message.has('OTHER-ADDRESS')).toBe(false);
    expect(message.get('OTHER-PORT')).toBe(3479);
    const port = ask([['CHANGE-REQUEST', { address: false, port: true }]], { site: ONE_ADDRESS });
    expect(port).toMatchObject({ via: { host: 0, port: 1 } });
    const address = replyTo([['CHANGE-REQUEST', { address: true, port: false }]], { site: ONE_ADDRESS });
    expect(address.message.get('ERROR-CODE')?.code).toBe(420);
    expect(address.message.get('UNKNOWN-ATTRIBUTES')).toEqual([3]);
  });

  it('that is not known leave the origin out', () => {
    const site: StunSite = { hosts: [undefined], ports: [3478, 3479] };
    expect(replyTo([], { site }).message.has('RESPONSE-ORIGIN')).toBe(false);
  });
});

describe('what is refused', () => {
  it('RESPONSE-PORT, and any attribute that must be understood and is not', () => {
    const port = replyTo([['RESPONSE-PORT', 53]]);
    expect(port).toMatchObject({ via: { host: 0, port: 0 } });
    expect(port.message.get('ERROR-CODE')?.code).toBe(420);
    expect(port.message.get('UNKNOWN-ATTRIBUTES')).toEqual([0x27]);
    expect(replyTo([[0x7777, Buffer.alloc(0)]]).message.get('UNKNOWN-ATTRIBUTES')).toEqual([0x7777]);
    expect(replyTo([[0x8777, Buffer.alloc(0)]]).message.class).toBe('success');
  });

  it('RESPONSE-PORT over TCP, unless it aims a dial-back at a port of who asks', () => {
    const tcp = { transport: 'tcp' } as const;
    const change: Attribute = ['CHANGE-REQUEST', { address: true, port: true }];
    const unchanged: Attribute = ['CHANGE-REQUEST', { address: false, port: false }];
    const aimed = ask([change, ['RESPONSE-PORT', 9000]], tcp);
    expect(aimed).toEqual({ dialBack: { host: 1, port: 1 }, to: { host: from.host, port: 9000 } });
    for (const wanted of [[], [unchanged]] as Attribute[][]) {
      const reply = replyTo([...wanted, ['RESPONSE-PORT', 9000]], tcp);
      expect(reply.message.get('UNKNOWN-ATTRIBUTES')).toEqual([0x27]);
    }
    const overUdp = replyTo([change, ['RESPONSE-PORT', 9000]]);
    expect(overUdp.message.get('UNKNOWN-ATTRIBUTES')).toEqual([0x27]);
    const nowhere = replyTo([change, ['RESPONSE-PORT', 0]], tcp);
    expect(nowhere.message.get('ERROR-CODE')?.code).toBe(400);
  });

  it.each(['127.0.0.1', '10.0.0.1', '100.64.0.1', '169.254.1.1', '::1', 'fd00::1', 'fe80::1'])(
    'RESPONSE-PORT of %s, which may be a proxy of many: it is not tried',
    host => {
      const change: Attribute = ['CHANGE-REQUEST', { address: true, port: true }];
      const wanted: Attribute[] = [change, ['RESPONSE-PORT', 22]];
      const reply = replyTo(wanted, { transport: 'tcp', from: { host, port: 40_000 } });
      expect(reply.message.get('DIAL-BACK')).toEqual({ outcome: 'not-tried', tries: 0 });
      expect(ask([change], { transport: 'tcp', from: { host, port: 40_000 } })).toHaveProperty('dialBack');
    },
  );

  it('PADDING beyond 2,048 bytes; up to there it is echoed', () => {
    expect(replyTo([['PADDING', Buffer.alloc(2_049)]]).message.get('ERROR-CODE')?.code).toBe(400);
    expect(replyTo([['PADDING', Buffer.alloc(1_600, 1)]]).message.get('PADDING')).toHaveLength(1_600);
  });

  it('other methods, indications and answers get none', () => {
    const of = (plan: Pick<Parameters<typeof encodeMessage>[0], 'class' | 'method'>) => {
      const message = decodeMessage(encodeMessage({ transactionId: newTransactionId(), ...plan }));
      return answerTo({ message, from, at: { host: 0, port: 0 }, transport: 'udp' }, SITE);
    };
    expect(of({ class: 'indication', method: 'Binding' })).toBeUndefined();
    expect(of({ class: 'success', method: 'Binding' })).toBeUndefined();
    expect(of({ class: 'error', method: 'Binding' })).toBeUndefined();
    expect(of({ class: 'request', method: 'Allocate' })).toBeUndefined();
    expect(of({ class: 'request', method: 'Binding' })).toBeDefined();
  });
});

describe('amplification', () => {
  const HOSTS = ['203.0.113.9', '2001:db8:1234:5678:9abc:def0:1234:5678'];
  const SITES: StunSite[] = [SITE, ONE_ADDRESS, { hosts: ['2001:db8::1', '2001:db8::2'], ports: [1, 2] }];

  it(`is at most ${MAX_AMPLIFICATION}, for any request, old or new, IPv4 or IPv6`, () => {
    const host = fc.constantFrom(...HOSTS);
    const site = fc.constantFrom(...SITES);
    const id = fc.constantFrom(12, 16).map(length => Buffer.alloc(length, 3));
    fc.assert(
      fc.property(
        attributes,
        host,
        site,
        id,
        fc.boolean(),
        (wanted, host, site, transactionId, fingerprint) => {
          const plan = { class: 'request', method: 'Binding', transactionId, fingerprint } as const;
          const bytes = encodeMessage({ ...plan, attributes: wanted });
          let answer: ReturnType<typeof answerTo>;
          try {
            const message = decodeMessage(bytes, { classic: true });
            answer = answerTo(
              { message, from: { host, port: 1 }, at: { host: 0, port: 0 }, transport: 'udp' },
              site,
            );
          } catch {
            return; // a duplicate attribute that does not decode gets no answer at all
          }
          if (!answer || !('send' in answer)) return;
          expect(answer.send.length).toBeLessThanOrEqual(bytes.length * MAX_AMPLIFICATION);
          expect(decodeMessage(answer.send, { classic: true }).types().length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('leaves room for the mapped address even in answer to an empty request', () => {
    const message = decodeMessage(
      encodeMessage({ class: 'request', method: 'Binding', transactionId: newTransactionId() }),
    );
    for (const host of HOSTS) {
      const answer = answerTo(
        { message, from: { host, port: 7 }, at: { host: 0, port: 0 }, transport: 'udp' },
        SITE,
      );
      if (!answer || !('send' in answer)) throw new Error('no answer');
      expect(mappedAddress(decodeMessage(answer.send))).toEqual({ host, port: 7 });
    }
  });
});

describe('the limiter', () => {
  it('gives each source its burst, refills it, and forgets the one unseen for longest', () => {
    let now = 0;
    const limiter = new SourceLimiter({ burst: 3, perSecond: 2 }, () => now, 2);
    expect([1, 2, 3, 4].map(() => limiter.admit('192.0.2.1'))).toEqual([true, true, true, false]);
    expect(limiter.admit('192.0.2.2')).toBe(true);
    now = 500;
    expect([1, 2].map(() => limiter.admit('192.0.2.1'))).toEqual([true, false]);
    limiter.admit('192.0.2.3');
    expect(limiter.size).toBe(2);
    expect(limiter.admit('192.0.2.2')).toBe(true); // forgotten, so its burst is full again
  });

  it('takes an IPv6 /64 for one source', () => {
    expect(sourceOf('2001:db8::1')).toBe(sourceOf('2001:db8::ffff:2'));
    expect(sourceOf('2001:db8::1')).not.toBe(sourceOf('2001:db8:0:1::1'));
    expect(sourceOf('192.0.2.1')).not.toBe(sourceOf('192.0.2.2'));
  });
});

const responder = async (options: Partial<Parameters<typeof createStunResponder>[0]> = {}) =>
  scope.use(await createStunResponder({ host: HERE, port: 0, alternateHost: THERE, ...options }));

describe('the responder on sockets', () => {
  it('answers on four endpoints, UDP and TCP', async () => {
    const { endpoints } = await responder();
    expect(endpoints.map(({ host }) => host)).toEqual([HERE, HERE, THERE, THERE]);
    const udp = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    for (const [i, endpoint] of endpoints.entries()) {
      const { message } = await udp.request(endpoint, {});
      expect(mappedAddress(message)).toEqual({ host: HERE, port: udp.port });
      expect(message.get('RESPONSE-ORIGIN')).toEqual(endpoint);
      expect(message.get('OTHER-ADDRESS')).toEqual(endpoints[3 - i]);
      const tcp = scope.use(await StreamStunClient.open({ server: endpoint, localAddress: HERE }));
      expect(mappedAddress((await tcp.request({})).message)).toEqual(tcp.local);
    }
  });

  it('answers from where it was asked to', async () => {
    const { endpoints } = await responder();
    const udp = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    const change = { address: true, port: true };
    const options = { answerFrom: [endpoints[3]!] };
    const { from } = await udp.request(endpoints[0]!, { attributes: [['CHANGE-REQUEST', change]] }, options);
    expect(from).toEqual(endpoints[3]);
  });

  it('drops what exceeds the limit of a source, and counts it', async () => {
    const limits = { udp: { burst: 2, perSecond: 0.001 } };
    const { endpoints, counters } = await responder({ limits });
    const udp = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    const schedule = { sendAtMs: [0], giveUpMs: 200 };
    const outcomes = [];
    for (let i = 0; i < 3; i++) {
      outcomes.push(
        await udp.request(endpoints[0]!, {}, { schedule }).then(
          () => 'answer',
          error => error.code,
        ),
      );
    }
    expect(outcomes).toEqual(['answer', 'answer', 'no-answer']);
    expect(counters).toMatchObject({ requests: 2, answers: 2, rateLimited: 1 });
  });

  it('is not moved by garbage', async () => {
    const { endpoints, counters } = await responder();
    const udp = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(20),
      Buffer.alloc(24, 1),
      Buffer.from('hello there, server!'),
    ]) {
      udp.send(bytes, endpoints[0]!);
    }
    await udp.request(endpoints[0]!, {});
    expect(counters.malformed).toBeGreaterThan(0);
    expect(counters.answers).toBe(1);
  });

  it('closes with its connections, twice if need be', async () => {
    const server = await responder();
    const client = await StreamStunClient.open({ server: server.endpoints[0]! });
    await client.request({});
    await Promise.all([server.close(), server.close()]);
    await client.request({}).catch(() => {});
    expect(client.closed.aborted).toBe(true);
    await client[Symbol.asyncDispose]();
  });

  it('refuses two hosts of different families, and ports that are taken', async () => {
    await expect(responder({ alternateHost: '::1' })).rejects.toMatchObject({ code: 'bad-option' });
    const { endpoints } = await responder();
    const taken = responder({ port: endpoints[0]!.port });
    await expect(taken).rejects.toMatchObject({ code: 'listen-failed' });
  });
});
