// The challenge that comes with the credentials: the first request is authorized at once, or at no more cost than ever.
import { describe, expect, it } from 'vitest';
import { OFFERED_ALGORITHMS } from '../../src/stun/password-algorithms.js';
import { openTurn } from '../../src/turn/client.js';
import { resolveTurnServer } from '../../src/turn/turn-server.js';
import { startRelay } from './turn-raw.js';

describe('a grant for a client whose address is known', () => {
  it.each([
    ['is good for the first request', '127.0.0.1', {}],
    ['is stale for another address, which is found out at once', '192.0.2.7', { 438: 1 }],
    ['without an address asks for the challenge', undefined, { 401: 1 }],
  ])('%s', async (_, host, refusals) => {
    await using relay = await startRelay();
    const { urls, challenge, ...account } = relay.grant('alice', host === undefined ? {} : { host });
    const url = urls.find(each => each.endsWith('tcp'))!;
    const told = challenge && { ...challenge, offered: OFFERED_ALGORITHMS };
    const [server] = await resolveTurnServer(url, { ...account, challenge: told });
    await using client = await openTurn(server!, { relayed: 'tcp' });
    expect(client.relayed.host).toBe('127.0.0.1');
    expect(Object.fromEntries(relay.counters.refusals)).toEqual(refusals);
  });

  it('a challenge that makes no sense is as none', async () => {
    await using relay = await startRelay();
    const { urls, ...account } = relay.grant('alice');
    const url = urls.find(each => each.endsWith('udp'))!;
    const challenge = { realm: 'elsewhere', nonce: 'x', offered: OFFERED_ALGORITHMS };
    const [server] = await resolveTurnServer(url, { ...account, challenge });
    await using client = await openTurn(server!);
    expect(client.relayed.host).toBe('127.0.0.1');
  });
});
