// The NAT-PMP client against a gateway on loopback.
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { NatPmpClient } from '../../../src/port-mapping/nat-pmp.js';
import { type ControlPort, fakeControlPort } from './fake/control-port.js';
import { readNatPmpRequest, writeNatPmpAddress, writeNatPmpMapping } from './fake/gateway-wire.js';

const { signal } = new AbortController();
const request = { internalPort: 9000, externalPort: 9001, lifetimeSeconds: 3600, description: 'test' };
const state = { epochSeconds: 0, address: [203, 0, 113, 7], addressResult: 0, mapResult: 0 };
let port: ControlPort;
afterEach(async () => {
  await port[Symbol.asyncDispose]();
  Object.assign(state, { epochSeconds: 0, address: [203, 0, 113, 7], addressResult: 0, mapResult: 0 });
});

async function start(): Promise<NatPmpClient> {
  port = await fakeControlPort(message => {
    const { opcode, internalPort, externalPort, lifetimeSeconds } = readNatPmpRequest(message);
    if (opcode === 0) return [writeNatPmpAddress(state.epochSeconds, state.address, state.addressResult)];
    const { epochSeconds, mapResult } = state;
    return [
      writeNatPmpMapping(epochSeconds, internalPort + 1, 1, 1, mapResult && 1), // for another port of ours
      writeNatPmpMapping(epochSeconds, internalPort, externalPort, lifetimeSeconds, mapResult),
    ];
  });
  return new NatPmpClient({ gateway: port.gateway, localAddress: '127.0.0.1', clock: systemClock });
}

describe('the NAT-PMP client', () => {
  it('detects, maps, and removes by zero lifetime and zero external port', async () => {
    const client = await start();
    await client.detect(signal);
    expect(await client.open(request, signal)).toEqual({
      external: { host: '203.0.113.7', port: 9001 },
      lifetimeSeconds: 3600,
    });
    await client.remove(signal);
    await client.remove(signal);
    expect(port.received).toHaveLength(4);
    expect(readNatPmpRequest(port.received[3]!)).toEqual({
      version: 0,
      opcode: 2,
      internalPort: 9000,
      externalPort: 0,
      lifetimeSeconds: 0,
    });
  });

  it('tells refusals by number, of the address and of the mapping', async () => {
    const client = await start();
    state.mapResult = 2;
    await expect(client.open(request, signal)).rejects.toMatchObject({ protocol: 'nat-pmp' });
    state.addressResult = 3;
    await expect(client.detect(signal)).rejects.toMatchObject({ number: 3 });
  });

  it('notices a restart by the epoch, and a new external address', async () => {
    const client = await start();
    state.epochSeconds = 100;
    await client.open(request, signal);
    expect(await client.check(signal)).toBe('steady');
    state.address = [203, 0, 113, 8];
    expect(await client.check(signal)).toBe('lost');
    await client.open(request, signal);
    state.epochSeconds = 0;
    expect(await client.check(signal)).toBe('lost');
  });

  it('does not take a lease of no time', async () => {
    const client = await start();
    await expect(client.open({ ...request, lifetimeSeconds: 0 }, signal)).rejects.toMatchObject({
      code: 'request-failed',
    });
  });
});
