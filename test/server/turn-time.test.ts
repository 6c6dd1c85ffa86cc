// What the relay lets run out, and when: with a clock that the test moves.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../../src/stun/attributes.js';
import { encodeChannelData } from '../../src/stun/framing.js';
import { decodeMessage } from '../../src/stun/message.js';
import { FakeClock } from '../fake-clock.js';
import { codeOf, portOf, RawClient, startRelay, TCP, UDP } from './turn-raw.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function relayInTime() {
  const clock = new FakeClock();
  const relay = await startRelay({ clock });
  const client = await RawClient.udp(portOf(relay));
  await client.login(relay.grant('alice'));
  return { clock, relay, client };
}

describe('time', () => {
  it('an allocation ends with its lifetime, unless it is refreshed', async () => {
    const { clock, relay, client } = await relayInTime();
    await client.ask('Allocate', [UDP]);
    await clock.advance(9 * MINUTE);
    expect(codeOf(await client.ask('Refresh'))).toBe('success');
    await clock.advance(9 * MINUTE);
    expect(relay.counters.allocationsNow).toBe(1);
    await clock.advance(2 * MINUTE);
    expect(relay.counters.allocationsNow).toBe(0);
    await relay.close();
  });

  it('a permission ends after 5 minutes, with it what comes in and what goes out', async () => {
    const { clock, relay, client } = await relayInTime();
    const peer = createSocket('udp4').bind(0, '127.0.0.1');
    await once(peer, 'listening');
    const { port: relayed } = (await client.ask('Allocate', [UDP]))!.get('XOR-RELAYED-ADDRESS')!;
    const at: Attribute = ['XOR-PEER-ADDRESS', { host: '127.0.0.1', port: peer.address().port }];
    await client.ask('ChannelBind', [['CHANNEL-NUMBER', 0x4000], at]);
    const exchange = async () => {
      let heard = 0;
      peer.once('message', () => heard++);
      peer.send('in', relayed, '127.0.0.1');
      client.send(encodeChannelData(0x4000, Buffer.from('out'), false));
      const incoming = await client.hear(300);
      if (!incoming) await new Promise(resolve => setTimeout(resolve, 50));
      peer.removeAllListeners('message');
      return { incoming: incoming !== undefined, heard };
    };
    expect(await exchange()).toEqual({ incoming: true, heard: 1 });
    await clock.advance(4 * MINUTE + 59 * SECOND);
    expect(await exchange()).toEqual({ incoming: true, heard: 1 });
    await clock.advance(2 * SECOND);
    expect(await exchange()).toEqual({ incoming: false, heard: 0 });
    await client.ask('CreatePermission', [at]); // the channel is still bound
    expect(await exchange()).toEqual({ incoming: true, heard: 1 });
    await client.ask('Refresh', [['LIFETIME', 3_600]]);
    await clock.advance(4 * MINUTE);
    await client.ask('CreatePermission', [at]);
    await clock.advance(2 * MINUTE); // 11 minutes: the channel is gone, the permission is not
    peer.send('in', relayed, '127.0.0.1');
    expect(decodeMessage((await client.hear())!).methodName).toBe('Data');
    peer.close();
    await relay.close();
  });

  it('a nonce is stale after an hour, and the answer brings the next', async () => {
    const { clock, relay, client } = await relayInTime();
    await client.ask('Allocate', [UDP, ['LIFETIME', 3_600]]);
    await clock.advance(50 * MINUTE);
    expect((await client.ask('Refresh', [['LIFETIME', 3_600]]))!.class).toBe('success');
    await clock.advance(10 * MINUTE + 2 * SECOND);
    const answer = (await client.ask('Refresh'))!;
    expect(codeOf(answer)).toBe(438);
    expect(answer.get('NONCE')).not.toBe(client.authorization!.nonce);
    await relay.close();
  });

  it('an announced connection is closed when nobody fetches it within 30 s', async () => {
    const clock = new FakeClock();
    const relay = await startRelay({ clock });
    const client = await RawClient.tcp(portOf(relay));
    await client.login(relay.grant('alice'));
    const { port } = (await client.ask('Allocate', [TCP]))!.get('XOR-RELAYED-ADDRESS')!;
    await client.ask('CreatePermission', [['XOR-PEER-ADDRESS', { host: '127.0.0.1', port: 0 }]]);
    const stranger = connect(port, '127.0.0.1');
    stranger.on('error', () => {});
    stranger.resume();
    const announced = decodeMessage((await client.hear())!);
    expect(announced.methodName).toBe('ConnectionAttempt');
    await clock.advance(29 * SECOND);
    expect(stranger.destroyed).toBe(false);
    const closed = once(stranger, 'close');
    await clock.advance(2 * SECOND);
    await closed;
    const late = await RawClient.tcp(portOf(relay));
    await late.login(relay.grant('alice'));
    expect(
      codeOf(await late.ask('ConnectionBind', [['CONNECTION-ID', announced.get('CONNECTION-ID')!]])),
    ).toBe(400);
    await relay.close();
  });

  it('a reserved port is given up after 30 s', async () => {
    const { clock, relay, client } = await relayInTime();
    const token = (await client.ask('Allocate', [UDP, ['EVEN-PORT', true]]))!.get('RESERVATION-TOKEN')!;
    const second = await RawClient.udp(portOf(relay));
    await second.login(relay.grant('alice'));
    await clock.advance(31 * SECOND);
    expect(codeOf(await second.ask('Allocate', [UDP, ['RESERVATION-TOKEN', token]]))).toBe(508);
    await relay.close();
  });
});
