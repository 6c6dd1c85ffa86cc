// Proof through a server, by servers that follow a script; the real one is in test/interop/port-mapping.
import { afterEach, describe, expect, it } from 'vitest';
import { Scope } from '../../../src/net/scope.js';
import { listenTcp } from '../../../src/net/sockets.js';
import { proveThroughServer } from '../../../src/port-mapping/server-proof.js';
import type { Attribute, DialBack } from '../../../src/stun/attributes.js';
import { encodeMessage } from '../../../src/stun/encode.js';
import { StreamFramer } from '../../../src/stun/framing.js';
import { decodeMessage, type StunMessage } from '../../../src/stun/message.js';

const HERE = '127.0.0.1';
const EXTERNAL = { host: '203.0.113.7', port: 9000 };
const { signal } = new AbortController();
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

interface Script {
  /** Where it says that it sees us. */
  readonly seen?: string;
  /** Undefined: it never answers the second request. */
  readonly outcome?: DialBack['outcome'] | 'none';
  readonly otherAddress?: boolean;
}

async function server({ seen = EXTERNAL.host, outcome, otherAddress = true }: Script) {
  const requests: StunMessage[] = [];
  const listener = await listenTcp({ host: HERE }, socket => {
    const framer = new StreamFramer(4096);
    scope.defer(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', chunk => {
      framer.push(chunk);
      for (let frame = framer.next(); frame; frame = framer.next()) {
        if (frame.kind !== 'stun') return;
        const message = decodeMessage(frame.bytes);
        requests.push(message);
        const attributes: Attribute[] = [['XOR-MAPPED-ADDRESS', { host: seen, port: 40_000 }]];
        if (otherAddress) attributes.push(['OTHER-ADDRESS', { host: '203.0.113.99', port: 3479 }]);
        if (message.has('CHANGE-REQUEST')) {
          if (outcome === undefined) return;
          if (outcome !== 'none') attributes.push(['DIAL-BACK', { outcome, tries: 1 }]);
        }
        const { transactionId } = message;
        socket.write(encodeMessage({ class: 'success', method: 'Binding', transactionId, attributes }));
      }
    });
  });
  scope.use(listener);
  return { endpoint: { host: HERE, port: listener.port }, requests };
}

const prove = async (...scripts: Script[]) => {
  const servers = await Promise.all(scripts.map(server));
  const endpoints = servers.map(({ endpoint }) => endpoint);
  return { verdict: await proveThroughServer(endpoints, EXTERNAL, HERE, signal), servers };
};

describe('proof through a server', () => {
  it.each<[DialBack['outcome'] | 'none', boolean | undefined]>([
    ['connected', true],
    ['refused', false],
    ['silent', false],
    ['not-tried', undefined],
    ['none', undefined],
  ])('of which it says %s: %s', async (outcome, expected) => {
    expect((await prove({ outcome })).verdict).toBe(expected);
  });

  it('asks for the mapped port, from another address where there is one', async () => {
    for (const otherAddress of [true, false]) {
      const { servers } = await prove({ outcome: 'connected', otherAddress });
      const [, asked] = servers[0]!.requests;
      expect(asked!.get('RESPONSE-PORT')).toBe(EXTERNAL.port);
      expect(asked!.get('CHANGE-REQUEST')).toEqual({ address: otherAddress, port: true });
    }
  });

  it('is not asked of a server that sees us come from elsewhere: it would dial somebody else', async () => {
    const { verdict, servers } = await prove({ seen: '203.0.113.8', outcome: 'connected' });
    expect(verdict).toBeUndefined();
    expect(servers[0]!.requests).toHaveLength(1);
  });

  it('takes the word of the first that could try', async () => {
    const { verdict, servers } = await prove(
      { seen: '203.0.113.8' },
      { outcome: 'not-tried' },
      { outcome: 'refused' },
      { outcome: 'connected' },
    );
    expect(verdict).toBe(false);
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 2, 2, 0]);
  });

  it('is nobody’s without a server of that family, or with none that is there', async () => {
    const gone = await listenTcp({ host: HERE }, socket => socket.destroy());
    await gone[Symbol.asyncDispose]();
    const dead = { host: HERE, port: gone.port };
    expect(await proveThroughServer([dead], EXTERNAL, HERE, signal)).toBeUndefined();
    const six = { host: '2001:db8::7', port: 9000 };
    expect(await proveThroughServer([dead], six, '2001:db8:1::2', signal)).toBeUndefined();
  });

  it('ends when it is no longer wanted', async () => {
    const { endpoint, requests } = await server({});
    const controller = new AbortController();
    const proving = proveThroughServer([endpoint], EXTERNAL, HERE, controller.signal);
    await expect.poll(() => requests.length).toBe(2);
    controller.abort();
    await expect(proving).rejects.toThrow();
  });
});
