// What the relay answers to requests as they stand in the RFCs, and to those that do not (RFC 8656, RFC 6062).
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relay } from '../../signalling-server/turn/relay.js';
import type { Attribute } from '../../src/stun/attributes.js';
import { newTransactionId } from '../../src/stun/encode.js';
import { decodeChannelData, encodeChannelData } from '../../src/stun/framing.js';
import { verifyIntegrity } from '../../src/stun/integrity.js';
import { decodeMessage } from '../../src/stun/message.js';
import { openTurn } from '../../src/turn/client.js';
import { allocatedClient, codeOf, portOf, RawClient, serverOf, startRelay, TCP, UDP } from './turn-raw.js';

const peerAt = (port: number, host = '127.0.0.1'): Attribute => ['XOR-PEER-ADDRESS', { host, port }];

describe('the relay', () => {
  let relay: Relay;
  beforeAll(async () => {
    relay = await startRelay({
      limits: { challenges: { burst: 1e6, perSecond: 1e6 }, allocationsPerUser: 100 },
    });
  });
  afterAll(() => relay.close());

  async function loggedIn(): Promise<RawClient> {
    const client = await RawClient.udp(portOf(relay));
    await client.login(relay.grant('alice'));
    return client;
  }

  async function echoPeer() {
    const socket = createSocket('udp4');
    socket.on('message', (data, { port, address }) => socket.send(data, port, address));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return { port: socket.address().port, socket, [Symbol.dispose]: () => void socket.close() };
  }

  describe('Allocate', () => {
    it('answers with relayed and mapped address and lifetime, and proves it', async () => {
      await using client = await loggedIn();
      const answer = (await client.ask('Allocate', [UDP]))!;
      expect(codeOf(answer)).toBe('success');
      expect(answer.get('XOR-RELAYED-ADDRESS')).toMatchObject({ host: '127.0.0.1' });
      expect(answer.get('XOR-RELAYED-ADDRESS')!.port).toBeGreaterThanOrEqual(49_152);
      expect(answer.get('XOR-MAPPED-ADDRESS')).toMatchObject({ host: '127.0.0.1' });
      expect(answer.get('LIFETIME')).toBe(600);
      const { key, hashes } = client.authorization!.integrity;
      expect(verifyIntegrity(answer, key, hashes![0]!)).toBe(true);
    });

    it.each([
      ['no REQUESTED-TRANSPORT', [], 400],
      ['a transport that nobody relays', [['REQUESTED-TRANSPORT', 132]], 442],
      ['TCP asked for over UDP (RFC 6062 section 5.1)', [TCP], 400],
      ['DONT-FRAGMENT, which Node.js cannot do', [UDP, ['DONT-FRAGMENT', true]], 420],
      ['an unknown attribute', [UDP, [0x7123, Buffer.alloc(4)]], 420],
      ['a family that is not relayed', [UDP, ['REQUESTED-ADDRESS-FAMILY', 2]], 440],
      ['a family that does not exist', [UDP, ['REQUESTED-ADDRESS-FAMILY', 9]], 440],
      [
        'a token with a wish for an even port',
        [UDP, ['RESERVATION-TOKEN', Buffer.alloc(8)], ['EVEN-PORT', false]],
        400,
      ],
      ['a token that nobody issued', [UDP, ['RESERVATION-TOKEN', Buffer.alloc(8)]], 508],
    ] as [string, Attribute[], number][])('%s', async (_, attributes, code) => {
      await using client = await loggedIn();
      const answer = await client.ask('Allocate', attributes);
      expect(codeOf(answer)).toBe(code);
      if (code === 420) expect(answer!.get('UNKNOWN-ATTRIBUTES')).toEqual([expect.any(Number)]);
      expect(codeOf(await client.ask('Allocate', [UDP]))).toBe('success'); // nothing was left behind
    });

    it('a repetition gets the same answer, a second one 437', async () => {
      await using client = await loggedIn();
      const id = newTransactionId();
      const first = await client.ask('Allocate', [UDP], id);
      const again = await client.ask('Allocate', [UDP], id);
      expect(again!.bytes).toEqual(first!.bytes);
      expect(codeOf(await client.ask('Allocate', [UDP]))).toBe(437);
    });

    it('an even port, and the next one for who has the token', async () => {
      await using first = await loggedIn();
      await using second = await loggedIn();
      const even = await first.ask('Allocate', [UDP, ['EVEN-PORT', true]]);
      const { port } = even!.get('XOR-RELAYED-ADDRESS')!;
      const token = even!.get('RESERVATION-TOKEN')!;
      expect(port % 2).toBe(0);
      const odd = await second.ask('Allocate', [UDP, ['RESERVATION-TOKEN', token]]);
      expect(odd!.get('XOR-RELAYED-ADDRESS')!.port).toBe(port + 1);
    });

    it('lifetimes: at least 600 s, at most the limit, 0 ends it', async () => {
      await using client = await allocatedClient(relay);
      const lifetime = async (asked: number) =>
        (await client.ask('Refresh', [['LIFETIME', asked]]))!.get('LIFETIME');
      expect([await lifetime(1), await lifetime(1_000), await lifetime(4_000_000)]).toEqual([
        600, 1_000, 3_600,
      ]);
      expect(codeOf(await client.ask('Refresh', [['REQUESTED-ADDRESS-FAMILY', 2]]))).toBe(443);
      expect(await lifetime(0)).toBe(0);
      expect(codeOf(await client.ask('Refresh'))).toBe(437);
    });
  });

  it('without an allocation everything else is 437', async () => {
    await using client = await loggedIn();
    for (const method of ['Refresh', 'CreatePermission', 'ChannelBind', 'Connect'] as const) {
      expect(codeOf(await client.ask(method, [peerAt(1)]))).toBe(437);
    }
    expect(codeOf(await client.ask('ConnectionBind', [['CONNECTION-ID', 1]]))).toBe(400);
  });

  it('a method that nobody knows, and indications that nobody expects, get silence', async () => {
    await using client = await loggedIn();
    client.send(
      Buffer.concat([
        Buffer.from('0055', 'hex'),
        Buffer.alloc(2),
        Buffer.from('2112a442', 'hex'),
        Buffer.alloc(12),
      ]),
    );
    expect(await client.hear(200)).toBeUndefined();
  });

  describe('channels', () => {
    it('numbers from 0x5000 up are refused, as RFC 8656 section 12 says; those below serve', async () => {
      await using client = await allocatedClient(relay);
      const bind = (number: number) =>
        client.ask('ChannelBind', [['CHANNEL-NUMBER', number], peerAt(number)]);
      for (const number of [0x0000, 0x3fff, 0x5000, 0x7fff, 0x8000, 0xffff])
        expect(codeOf(await bind(number))).toBe(400);
      for (const number of [0x4000, 0x4fff]) expect(codeOf(await bind(number))).toBe('success');
    });

    it('one number for one peer, one peer for one number', async () => {
      await using client = await allocatedClient(relay);
      const bind = (number: number, port: number) =>
        client.ask('ChannelBind', [['CHANNEL-NUMBER', number], peerAt(port)]);
      expect(codeOf(await bind(0x4000, 1_000))).toBe('success');
      expect(codeOf(await bind(0x4000, 1_000))).toBe('success');
      expect(codeOf(await bind(0x4000, 1_001))).toBe(400);
      expect(codeOf(await bind(0x4001, 1_000))).toBe(400);
      expect(codeOf(await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4002], peerAt(0)]))).toBe(400);
      expect(codeOf(await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4002]]))).toBe(400);
      expect(codeOf(await client.ask('ChannelBind', [peerAt(1_002)]))).toBe(400);
    });

    it.each([0, 1, 3, 4, 1_200, 9_000, 65_000])('%i bytes come back as they went', async length => {
      using peer = await echoPeer();
      await using client = await allocatedClient(relay);
      await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4abc], peerAt(peer.port)]);
      const data = Buffer.alloc(length, length);
      client.send(encodeChannelData(0x4abc, data, false));
      expect(decodeChannelData((await client.hear())!)).toEqual({ channel: 0x4abc, data });
    });

    it('without one: Send goes out, Data comes back, empty ones too', async () => {
      using peer = await echoPeer();
      await using client = await allocatedClient(relay);
      await client.ask('CreatePermission', [peerAt(0)]);
      for (const data of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(60_000, 7)]) {
        client.indicate([peerAt(peer.port), ['DATA', data]]);
        const back = decodeMessage((await client.hear())!);
        expect(back.methodName).toBe('Data');
        expect(back.get('XOR-PEER-ADDRESS')).toEqual({ host: '127.0.0.1', port: peer.port });
        expect(back.get('DATA')).toEqual(data);
      }
    });

    it('the largest datagram that there is cannot be relayed, and harms nobody', async () => {
      using peer = await echoPeer();
      await using client = await loggedIn();
      const { port } = (await client.ask('Allocate', [UDP]))!.get('XOR-RELAYED-ADDRESS')!;
      await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4000], peerAt(peer.port)]);
      peer.socket.send(Buffer.alloc(65_507), port, '127.0.0.1'); // four bytes more would have to go to the client
      peer.socket.send(Buffer.alloc(0), port, '127.0.0.1');
      expect(decodeChannelData((await client.hear())!).data).toHaveLength(0);
      expect(codeOf(await client.ask('Refresh'))).toBe('success');
    });

    it('what only a stream can carry is too large for any datagram, and harms nobody', async () => {
      await using left = await openTurn(await serverOf(relay, 'tcp', 'left'));
      await using right = await openTurn(await serverOf(relay, 'tcp', 'right'));
      await right.permit([left.relayed.host]);
      await left.bindChannel(right.relayed);
      const heard: number[] = [];
      const last = new Promise<void>(resolve => {
        right.onData = (_, data) => {
          heard.push(data.length);
          if (data.length === 1) resolve();
        };
      });
      for (const length of [65_535, 65_500, 65_400, 1]) left.send(right.relayed, Buffer.alloc(length));
      await last;
      expect(heard).toEqual([65_400, 1]);
    });

    it('without permission nothing passes, either way', async () => {
      using peer = await echoPeer();
      await using client = await allocatedClient(relay);
      client.indicate([peerAt(peer.port), ['DATA', Buffer.from('out')]]);
      client.send(encodeChannelData(0x4000, Buffer.from('out'), false));
      expect(await client.hear(200)).toBeUndefined();
      // The twin is every other test here.
    });
  });
});
