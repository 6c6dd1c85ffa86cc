// The probe on this machine's own loopback: whole, degraded, deceived and cut short. Real NATs are in test/lab.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { siteOf } from '../../../src/nat/findings.js';
import { probe } from '../../../src/nat/probe.js';
import { Scope } from '../../../src/net/scope.js';
import type { Attribute } from '../../../src/stun/attributes.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { decodeMessage } from '../../../src/stun/message.js';

const HERE = '127.0.0.1';
const THERE = '127.0.0.2';
const LOOPBACK = [{ name: 'lo', family: 4, address: HERE, prefix: 8, scope: 'loopback' }] as const;
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const responder = async (options: Partial<Parameters<typeof createStunResponder>[0]> = {}) =>
  scope.use(await createStunResponder({ host: HERE, port: 0, alternateHost: THERE, ...options }));

describe('the probe', () => {
  it('finds an open network, both transports, with what it is good for', async () => {
    const { endpoints } = await responder();
    const { interfaces, reach } = await probe({
      servers: [{ endpoint: endpoints[0]! }],
      interfaces: LOOPBACK,
    });
    const [here] = interfaces;
    for (const behaviour of [here!.udp, here!.tcp]) {
      expect(behaviour).toMatchObject({
        kind: 'open',
        mapping: 'endpoint-independent',
        filtering: 'endpoint-independent',
        ports: { pattern: 'preserving' },
        hairpinning: null,
      });
      expect(behaviour.confidence).toBeGreaterThan(0.8);
    }
    expect(here!.external?.host).toBe(HERE);
    expect(reach['symmetric-random']).toBe('reverse');
  });

  it('asks from the loopback addresses where the servers are', async () => {
    const { endpoints } = await responder();
    const { interfaces } = await probe({ servers: [{ endpoint: endpoints[0]! }] });
    expect(interfaces.map(({ address }) => address)).toContain(HERE);
  });

  it('with a server of one address, says unknown to what it cannot show', async () => {
    const single = scope.use(await createStunResponder({ host: HERE, port: 0 }));
    const { interfaces } = await probe({
      servers: [{ endpoint: single.endpoints[0]! }],
      interfaces: LOOPBACK,
    });
    expect(interfaces[0]!.udp).toMatchObject({ kind: 'unknown', mapping: 'unknown', filtering: 'unknown' });
    expect(interfaces[0]!.tcp.ports.pattern).toBe('preserving');
  });

  it('goes on without a dead server beside a living one', async () => {
    const { endpoints } = await responder();
    const servers = [{ endpoint: { host: HERE, port: 9 } }, { endpoint: endpoints[0]! }];
    const { interfaces } = await probe({ servers, interfaces: LOOPBACK });
    expect(interfaces[0]!.udp.kind).toBe('open');
    expect(interfaces[0]!.tcp.kind).toBe('open');
  });

  it('counts the votes of several servers, and takes the most telling one first', async () => {
    const single = scope.use(await createStunResponder({ host: HERE, port: 0 }));
    const sites = await Promise.all([1, 2, 3].map(() => responder()));
    const servers = [single, ...sites].map(({ endpoints }) => ({ endpoint: endpoints[0]! }));
    const { interfaces } = await probe({ servers, interfaces: LOOPBACK });
    const { udp, tcp } = interfaces[0]!;
    for (const behaviour of [udp, tcp]) {
      expect(behaviour).toMatchObject({ kind: 'open', mapping: 'endpoint-independent' });
    }
    expect(udp.samples).toBeGreaterThanOrEqual(12);
    expect(tcp.samples).toBeGreaterThanOrEqual(9);
  });

  it('knows nothing without servers, or with none of its family', async () => {
    for (const servers of [[], [{ endpoint: { host: '::1', port: 3478 } }]]) {
      const { interfaces, reach } = await probe({ servers, interfaces: LOOPBACK });
      expect(interfaces[0]!).toMatchObject({
        external: null,
        udp: { kind: 'unknown' },
        tcp: { kind: 'unknown' },
      });
      expect(reach.open).toBe('unknown');
    }
  });

  it('ends at its limit, and at once when aborted', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, HERE);
    await once(silent, 'listening');
    scope.defer(() => silent.close());
    const mute = createServer(socket => void scope.defer(() => socket.destroy()));
    mute.listen(silent.address().port, HERE);
    await once(mute, 'listening');
    scope.defer(() => mute.close());
    const servers = [{ endpoint: { host: HERE, port: silent.address().port } }];
    const { interfaces } = await probe({ servers, interfaces: LOOPBACK, limitMs: 300 });
    expect(interfaces[0]!.external).toBeNull();
    const controller = new AbortController();
    const aborted = probe({ servers, interfaces: LOOPBACK, signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    await expect(probe({ servers, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  });

  it('survives a server that answers every request with errors and nonsense', async () => {
    const hostile = createSocket('udp4');
    hostile.bind(0, HERE);
    await once(hostile, 'listening');
    scope.defer(() => hostile.close());
    let turn = 0;
    hostile.on('message', (bytes, { port, address }) => {
      const { transactionId } = decodeMessage(bytes);
      const attributes: Attribute[][] = [
        [['ERROR-CODE', { code: 500, reason: 'no' }]],
        [[0x0020, Buffer.from([0, 9, 0, 0, 1, 2, 3, 4])]], // a mapped address of no family
        [['XOR-MAPPED-ADDRESS', { host: '0.0.0.0', port: 0 }]],
        [[0x7abc, Buffer.alloc(4)]],
      ];
      const plan = { class: turn % 4 ? 'success' : 'error', method: 'Binding', transactionId } as const;
      hostile.send(encodeMessage({ ...plan, attributes: attributes[turn++ % 4]! }), port, address);
    });
    const servers = [{ endpoint: { host: HERE, port: hostile.address().port } }];
    const { interfaces } = await probe({ servers, interfaces: LOOPBACK, limitMs: 700 });
    expect(interfaces[0]!.udp.kind).not.toBe('open');
    expect(interfaces[0]!.external).toBeNull();
    expect(turn).toBeGreaterThan(0);
  });
});

describe('what a server says of its other addresses', () => {
  const site = (host: string, port: number, main = { host: '203.0.113.1', port: 3478 }) =>
    siteOf(
      main,
      decodeMessage(
        encodeMessage({
          class: 'success',
          method: 'Binding',
          transactionId: newTransactionId(),
          attributes: [['OTHER-ADDRESS', { host, port }]],
        }),
      ),
    );

  it('is believed for an address of the same kind', () => {
    expect(site('203.0.113.2', 3479)).toEqual({
      main: { host: '203.0.113.1', port: 3478 },
      otherPort: { host: '203.0.113.1', port: 3479 },
      otherAddress: { host: '203.0.113.2', port: 3479 },
    });
  });

  it.each([
    '127.0.0.1',
    '192.168.1.1',
    '10.0.0.1',
    '169.254.169.254',
    '224.0.0.1',
    '0.0.0.0',
    '::1',
    '203.0.113.1',
  ])('but never makes us knock at %s', host => {
    expect(site(host, 3479).otherAddress).toBeUndefined();
  });
});
