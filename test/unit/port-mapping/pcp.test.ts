// The PCP client against a gateway on loopback: exchange, loss, garbage, refusals and restarts.
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { PcpClient } from '../../../src/port-mapping/pcp.js';
import { type ControlPort, fakeControlPort } from './fake/control-port.js';
import { fastClock } from './fake/fast-clock.js';
import { mapped, readPcpRequest, writePcpAnswer } from './fake/gateway-wire.js';

const { signal } = new AbortController();
const request = { internalPort: 9000, externalPort: 9000, lifetimeSeconds: 3600, description: 'test' };
let port: ControlPort;
afterEach(() => port[Symbol.asyncDispose]());

interface Behaviour {
  externalAddress?: Uint8Array;
  externalPort?: number;
  epochSeconds?: () => number;
  result?: number;
}

function answer(message: Buffer, behaviour: Behaviour = {}): Buffer {
  const { opcode, nonce, internalPort, lifetimeSeconds } = readPcpRequest(message);
  const { externalAddress = mapped(203, 0, 113, 7), externalPort = 50_001, result = 0 } = behaviour;
  const epochSeconds = behaviour.epochSeconds?.() ?? 0;
  return opcode === 0
    ? writePcpAnswer({ opcode: 0, result, lifetimeSeconds: 0, epochSeconds })
    : writePcpAnswer({
        opcode: 1,
        result,
        lifetimeSeconds,
        epochSeconds,
        map: { nonce, internalPort, externalPort, externalAddress },
      });
}

const clientOf = ({ gateway }: ControlPort, clock = systemClock) =>
  new PcpClient({ gateway, localAddress: '127.0.0.1', clock });

describe('the PCP client', () => {
  it('detects, maps, renews by the same nonce and removes', async () => {
    port = await fakeControlPort(message => [answer(message)]);
    const client = clientOf(port);
    await client.detect(signal);
    const granted = { external: { host: '203.0.113.7', port: 50_001 }, lifetimeSeconds: 3600 };
    expect(await client.open(request, signal)).toEqual(granted);
    expect(await client.open({ ...request, externalPort: 50_001 }, signal)).toEqual(granted);
    await client.remove(signal);
    await client.remove(signal);
    const [, first, renewal, removal] = port.received.map(readPcpRequest);
    expect(port.received).toHaveLength(4);
    expect(first).toMatchObject({ opcode: 1, clientAddress: mapped(127, 0, 0, 1), externalPort: 9000 });
    expect(renewal).toMatchObject({ nonce: first!.nonce, externalPort: 50_001 });
    expect(removal).toMatchObject({ nonce: first!.nonce, lifetimeSeconds: 0, externalPort: 50_001 });
    expect(
      new Set(port.received.slice(1).map(message => message.subarray(24, 36).toString('hex'))).size,
    ).toBe(1);
  });

  it('asks again when a datagram is lost', async () => {
    port = await fakeControlPort((message, time) => (time < 3 ? [] : [answer(message)]));
    await clientOf(port).detect(signal);
    expect(port.received).toHaveLength(3);
  });

  it('waits past garbage, answers to others and answers to other questions', async () => {
    port = await fakeControlPort(message => {
      const strange = answer(message);
      strange[24]! ^= 1; // another nonce
      const otherPort = answer(message);
      otherPort[41]! ^= 1;
      const announcement = writePcpAnswer({ opcode: 0, result: 0, lifetimeSeconds: 0, epochSeconds: 1 });
      return [Buffer.from('garbage'), Buffer.from([2]), strange, otherPort, announcement, answer(message)];
    });
    expect(await clientOf(port).open(request, signal)).toMatchObject({ external: { port: 50_001 } });
  });

  it('knows a gateway that speaks NAT-PMP only at its first word', async () => {
    port = await fakeControlPort(() => [Buffer.from([0, 128, 0, 1, 0, 0, 0, 9])]);
    await expect(clientOf(port).detect(signal)).rejects.toMatchObject({ place: 'version' });
    expect(port.received).toHaveLength(1);
  });

  it('gives up on silence, and at once on a closed port', async () => {
    port = await fakeControlPort(() => []);
    await expect(clientOf(port, fastClock).detect(signal)).rejects.toMatchObject({ code: 'no-answer' });
    expect(port.received).toHaveLength(4);
    await using closed = await fakeControlPort(() => []);
    await closed.close();
    await expect(clientOf(closed).detect(signal)).rejects.toMatchObject({ code: 'no-answer' });
  });

  it('ends with its signal', async () => {
    port = await fakeControlPort(() => []);
    const controller = new AbortController();
    const detecting = clientOf(port).detect(controller.signal);
    controller.abort();
    await expect(detecting).rejects.toMatchObject({ code: 'aborted' });
    await expect(clientOf(port).detect(controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  });

  it('tells a refusal by its number', async () => {
    port = await fakeControlPort(message => [answer(message, { result: 2 })]);
    await expect(clientOf(port).open(request, signal)).rejects.toMatchObject({
      name: 'GatewayRefusal',
      number: 2,
      message: 'the gateway refused by pcp: 2 (not authorized)',
    });
  });

  it('does not take port 0, nor a lease of no time', async () => {
    port = await fakeControlPort(message => [answer(message, { externalPort: 0 })]);
    await expect(clientOf(port).open(request, signal)).rejects.toMatchObject({ code: 'request-failed' });
    await expect(clientOf(port).open({ ...request, lifetimeSeconds: 0 }, signal)).rejects.toMatchObject({
      code: 'request-failed',
    });
  });

  it('notices a restart by the epoch', async () => {
    const epochs = [1000, 1000, 5];
    port = await fakeControlPort(message => [answer(message, { epochSeconds: () => epochs.shift() ?? 5 })]);
    const client = clientOf(port);
    await client.detect(signal);
    expect(await client.check(signal)).toBe('steady');
    expect(await client.check(signal)).toBe('lost');
  });

  it('takes back what an aborted request may have made', async () => {
    port = await fakeControlPort((message, time) => (time === 1 ? [] : [answer(message)]));
    const client = clientOf(port);
    const controller = new AbortController();
    const opening = client.open(request, controller.signal);
    await new Promise(resolve => setTimeout(resolve, 5));
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: 'aborted' });
    await client.remove(signal);
    expect(readPcpRequest(port.received.at(-1)!)).toMatchObject({
      opcode: 1,
      lifetimeSeconds: 0,
      internalPort: 9000,
    });
  });
});
