// How long idle UDP mappings live, against our responder without a NAT; a NAT that forgets is in test/lab.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { DelayedAnswers } from '../../../signalling-server/stun/delayed-answers.js';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { measureUdpLifetime } from '../../../src/nat/udp-lifetime.js';
import { Scope } from '../../../src/net/scope.js';
import { encodeMessage } from '../../../src/stun/encode.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { UdpStunClient } from '../../../src/stun/udp-client.js';

const HERE = '127.0.0.1';
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

describe('the life of idle UDP mappings', () => {
  it('has no upper bound where nothing forgets', async () => {
    const { endpoints } = scope.use(await createStunResponder({ host: HERE, port: 0 }));
    const result = await measureUdpLifetime({ server: endpoints[0]!, localAddress: HERE, delaysS: [2, 1] });
    expect(result).toEqual({ atLeastS: 2, lessThanS: null });
  });

  it('is unknown from a server that answers at once, and from one that is silent', async () => {
    const foreign = createSocket('udp4');
    foreign.bind(0, HERE);
    await once(foreign, 'listening');
    scope.defer(() => foreign.close());
    const server = { host: HERE, port: foreign.address().port };
    foreign.on('message', (bytes, from) => {
      const { transactionId } = decodeMessage(bytes);
      foreign.send(
        encodeMessage({ class: 'success', method: 'Binding', transactionId }),
        from.port,
        from.address,
      );
    });
    expect(await measureUdpLifetime({ server, localAddress: HERE, delaysS: [1] })).toBeUndefined();
    foreign.removeAllListeners('message');
    expect(await measureUdpLifetime({ server, localAddress: HERE, delaysS: [1] })).toBeUndefined();
  });

  it('ends when aborted', async () => {
    const { endpoints } = scope.use(await createStunResponder({ host: HERE, port: 0 }));
    const controller = new AbortController();
    const measuring = measureUdpLifetime({
      server: endpoints[0]!,
      localAddress: HERE,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 100);
    await expect(measuring).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('delayed answers', () => {
  it('are bounded for each source, and altogether, and in their delay', () => {
    using delayed = new DelayedAnswers();
    const schedule = (host: string, seconds = 600) => delayed.schedule(host, seconds, () => {});
    expect(schedule('192.0.2.1', 601)).toBe(false);
    expect(schedule('192.0.2.1', 0)).toBe(false);
    const ofOne = Array.from({ length: 40 }, () => schedule('192.0.2.1'));
    expect(ofOne.filter(Boolean)).toHaveLength(32);
    const ofMany = Array.from({ length: 2_000 }, (_, i) => schedule(`198.51.${i >> 8}.${i & 255}`));
    expect(ofMany.filter(Boolean)).toHaveLength(1_024 - 32);
  });

  it('count as limited when refused, and a responder that closes sends none', async () => {
    const responder = await createStunResponder({ host: HERE, port: 0 });
    const client = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    const schedule = { sendAtMs: [0], giveUpMs: 100 };
    const ask = (seconds: number) =>
      client.request(responder.endpoints[0]!, { attributes: [['ANSWER-AFTER', seconds]] }, { schedule });
    await expect(ask(0)).rejects.toMatchObject({ code: 'no-answer' });
    await expect(ask(1)).rejects.toMatchObject({ code: 'no-answer' });
    expect(responder.counters).toMatchObject({ requests: 2, rateLimited: 1, answers: 0 });
    await responder.close();
    expect(responder.counters.answers).toBe(0);
  });
});
