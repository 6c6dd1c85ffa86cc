import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../src/identity/keys.js';
import { connectOptionsSchema, nodeOptionsSchema, resolveOptions, STRATEGIES } from '../../src/options.js';

const node = (options: unknown) => resolveOptions(nodeOptionsSchema, options);
const connect = (options: unknown) => resolveOptions(connectOptionsSchema, options);

describe('options', () => {
  it('have defaults', () => {
    expect(node(undefined)).toEqual(node({}));
    expect(node({})).toMatchObject({ servers: [], port: 0, listen: true, handshakeTimeoutMs: 5000 });
    expect(connect({})).toEqual({ timeoutMs: 30_000, strategies: [...STRATEGIES] });
  });

  it('pass through what is in range', () => {
    const identity = createIdentity();
    const accept = () => true;
    const options = { servers: ['ws://a.example'], host: '::1', port: 65535, identity, accept };
    expect(node(options)).toMatchObject(options);
    const { signal } = new AbortController();
    expect(connect({ signal, strategies: ['relay'], timeoutMs: 1 })).toMatchObject({ signal, timeoutMs: 1 });
  });

  it.each([
    [node, { port: -1 }, 'option port: '],
    [node, { port: 65536 }, 'option port: '],
    [node, { port: 1.5 }, 'option port: '],
    [node, { port: '80' }, 'option port: '],
    [node, { port: Number.NaN }, 'option port: '],
    [node, { host: 'localhost' }, 'option host: '],
    [node, { host: '127.1' }, 'option host: '],
    [node, { keyFile: '' }, 'option keyFile: '],
    [node, { servers: 'ws://a' }, 'option servers: '],
    [node, { servers: Array(5).fill('ws://a') }, 'option servers: '],
    [node, { servers: [7] }, 'option servers.0: '],
    [node, { identity: {} }, 'option identity: is not made by createIdentity'],
    [node, { identity: 'a key' }, 'option identity: is not made by createIdentity'],
    [node, { accept: true }, 'option accept: is not a function'],
    [node, { deadMs: Number.POSITIVE_INFINITY }, 'option deadMs: '],
    [node, { prot: 80 }, 'Unrecognized key: "prot"'],
    [node, 'a string', 'Invalid input'],
    [node, null, undefined],
    [connect, { signal: {} }, 'option signal: is not an AbortSignal'],
    [connect, { timeoutMs: 0 }, 'option timeoutMs: '],
    [connect, { strategies: [] }, 'option strategies: '],
    [connect, { strategies: ['teleport'] }, 'option strategies.0: '],
  ])('%o with %o: %s', (resolve, options, message) => {
    if (message === undefined) return expect(resolve(options)).toEqual(resolve({}));
    expect(() => resolve(options)).toThrow(
      expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }),
    );
  });
});
