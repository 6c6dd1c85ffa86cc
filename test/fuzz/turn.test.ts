// The relay and the TURN client against bytes that nobody should send. The relay is the real one, with its
// sockets; what is fuzzed goes in where its sockets would bring it, so that nothing is lost on the way.
import { createSocket } from 'node:dgram';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createRelay } from '../../signalling-server/turn/relay.js';
import type { Attribute } from '../../src/stun/attributes.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import { encodeChannelData } from '../../src/stun/framing.js';
import { decodeMessage, type StunMessage } from '../../src/stun/message.js';
import type { MethodName } from '../../src/stun/message-type.js';
import { Allocation } from '../../src/turn/allocation.js';
import { allocatedClient, codeOf, portOf, RawClient, startRelay, UDP } from '../server/turn-raw.js';
import { FUZZ_INPUTS, mutated, seeded } from './seeded.js';

const SEED = 0x7042;
const peer: Attribute = ['XOR-PEER-ADDRESS', { host: '127.0.0.1', port: 9 }];

/** Every kind of message that either side may get, some of them sealed with true credentials. */
function corpus(authorized: readonly Attribute[], integrity: { key: Buffer } | undefined): Buffer[] {
  const transactionId = newTransactionId();
  const plans: [MethodName, Attribute[]][] = [
    ['Allocate', [UDP, ['LIFETIME', 700], ['EVEN-PORT', true], ['REQUESTED-ADDRESS-FAMILY', 1]]],
    ['Refresh', [['LIFETIME', 600]]],
    ['CreatePermission', [peer, peer]],
    ['ChannelBind', [['CHANNEL-NUMBER', 0x4000], peer]],
    ['Connect', [peer]],
    ['ConnectionBind', [['CONNECTION-ID', 7]]],
    ['Binding', [['PADDING', Buffer.alloc(16)]]],
    ['Send', [peer, ['DATA', Buffer.from('data')]]],
    ['Data', [peer, ['DATA', Buffer.from('data')]]],
    ['ConnectionAttempt', [peer, ['CONNECTION-ID', 7]]],
  ];
  const messages = plans.flatMap(([method, attributes]) =>
    (['request', 'indication', 'success', 'error'] as const).map(each =>
      encodeMessage({
        class: each,
        method,
        transactionId,
        attributes: [...attributes, ...(each === 'request' ? authorized : [])],
        integrity: each === 'request' ? integrity : undefined,
      }),
    ),
  );
  return [
    ...messages,
    encodeChannelData(0x4000, Buffer.from('hello'), true),
    Buffer.alloc(0),
    Buffer.alloc(1),
  ];
}

describe(`fuzz, ${FUZZ_INPUTS} inputs each`, () => {
  it('datagrams to the relay, with and without an allocation: it stays alive and serves on', async () => {
    await using relay = await startRelay({ limits: { challenges: { burst: 1e9, perSecond: 1e9 } } });
    const socket = createSocket('udp4');
    socket.send = (() => {}) as never; // what it answers is not looked at, and would only fill buffers
    const receive = relay.datagrams(socket);
    await using honest = await allocatedClient(relay, 'honest');
    await using model = await RawClient.udp(portOf(relay));
    await model.login(relay.grant('fuzzer'));
    const inputs = corpus(model.authorization!.attributes, model.authorization!.integrity);
    const random = seeded(SEED);
    for (let i = 0; i < FUZZ_INPUTS; i++) {
      const bytes = mutated(inputs[random() % inputs.length]!, random);
      receive(bytes, { address: '127.0.0.1', port: 1 + (random() % 8), family: 'IPv4', size: bytes.length });
      if (i % 1_000 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    const large = Buffer.alloc(65_507, 0x40);
    receive(large, { address: '127.0.0.1', port: 3, family: 'IPv4', size: large.length });
    expect(codeOf(await honest.ask('Refresh'))).toBe('success');
    expect(relay.counters.malformed).toBeGreaterThan(FUZZ_INPUTS / 20);
    expect(relay.counters.refusals.get(401)).toBeGreaterThan(FUZZ_INPUTS / 100); // some got through to authentication
    socket.close();
  });

  it('streams to the relay, cut anywhere', async () => {
    await using relay = await createRelay({ host: '127.0.0.1', port: 0 });
    await using honest = await allocatedClient(relay, 'honest');
    const inputs = corpus([], undefined);
    const random = seeded(SEED + 1);
    let open = 0;
    for (let i = 0; i < FUZZ_INPUTS; ) {
      const stream = new PassThrough();
      Object.assign(stream, {
        remoteAddress: '127.0.0.1',
        remotePort: 1,
        destroySoon: () => stream.destroy(),
      });
      open++;
      stream.once('close', () => open--);
      relay.connection(stream as never);
      for (let chunks = 1 + (random() % 20); chunks > 0 && !stream.destroyed; chunks--, i++) {
        const whole =
          random() % 3 === 0
            ? inputs[random() % inputs.length]!
            : mutated(inputs[random() % inputs.length]!, random);
        const at = random() % (whole.length + 1);
        for (const part of [whole.subarray(0, at), whole.subarray(at)])
          if (!stream.destroyed) stream.write(part);
        await new Promise(resolve => setImmediate(resolve));
      }
      stream.destroy();
    }
    await expect.poll(() => open).toBe(0);
    expect(codeOf(await honest.ask('Refresh'))).toBe('success');
    expect(relay.counters.connectionsNow).toBe(0);
  });

  it('messages to a client’s allocation: none is believed, none throws', () => {
    const server = { host: '192.0.2.1', port: 3478 };
    const credentials = { username: 'alice', password: 'secret' };
    let settled = 0;
    let told = 0;
    const tell = () => void told++;
    const allocation = new Allocation(
      { server, credentials, relayed: 'tcp', reliable: true },
      { onData: tell, onConnectionAttempt: tell, onPeerLost: tell, onLost: tell },
    );
    allocation.allocate(0, () => settled++);
    const first = allocation.takeOutput()!;
    const inputs = corpus([], undefined);
    const random = seeded(SEED + 2);
    for (let i = 0; i < FUZZ_INPUTS; i++) {
      const bytes = mutated(inputs[random() % inputs.length]!, random);
      if (random() % 2 && bytes.length >= 20) first.copy(bytes, 8, 8, 20); // the right transaction
      let message: StunMessage;
      try {
        message = decodeMessage(bytes);
      } catch {
        continue;
      }
      allocation.receive(message, 1);
    }
    expect(told).toBe(0);
    expect(allocation.held).toBe(false);
    expect(settled).toBeLessThanOrEqual(1); // an error before the challenge may end it, once
  });
});
