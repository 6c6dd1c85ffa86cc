// Registering an id takes a signature over a fresh challenge of this server (security.md, row 16).
import { afterEach, describe, expect, it } from 'vitest';
import { bareHost, freshNonce, whyNotAdmitted } from '../../signalling-server/admission.js';
import { createServer, type ServerOptions } from '../../signalling-server/index.js';
import { createIdentity, signFor } from '../../src/identity/keys.js';
import { Scope } from '../../src/net/scope.js';
import { registrationProof } from '../../src/signalling/frames.js';
import { RawClient } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(options: ServerOptions = {}): Promise<string> {
  const server = scope.use(
    await createServer({
      host: '127.0.0.1',
      port: 0,
      connectionsPerIp: 5000,
      registrationsPerSecond: 10_000,
      ...options,
    }),
  );
  return `ws://127.0.0.1:${new URL(server.listening.signalling).port}/`;
}

describe('who is admitted', () => {
  const owner = createIdentity();
  const nonce = freshNonce();
  const frame = (over: { nonce?: string; host?: string; purpose?: string; signer?: typeof owner } = {}) => {
    const { host = 'here:7443', purpose = 'register/1', signer = owner } = over;
    const signature = signFor(purpose, signer, registrationProof(over.nonce ?? nonce, host)).toString(
      'base64url',
    );
    return { type: 'register', id: owner.id, host, signature } as const;
  };
  const admitted = (given: ReturnType<typeof frame>, header = 'here:7443', publicHosts: string[] = []) =>
    whyNotAdmitted(given, nonce, header, publicHosts) === undefined;

  it('the owner of the key, over this nonce, for this host', () => {
    expect(admitted(frame())).toBe(true);
    expect(admitted(frame({ host: 'HERE:7443' }))).toBe(true);
  });

  it.each([
    ['another signer', frame({ signer: createIdentity() })],
    ['an older nonce', frame({ nonce: freshNonce() })],
    ['another purpose', frame({ purpose: 'sealed/1' })],
    ['another host', frame({ host: 'elsewhere:7443' })],
    ['a host changed after signing', { ...frame({ host: 'elsewhere:7443' }), host: 'here:7443' }],
    ['an id that is none', { ...frame(), id: `${'a'.repeat(51)}b` }],
    ['no real signature', { ...frame(), signature: 'A'.repeat(86) }],
  ])('not with %s', (_, given) => {
    expect(admitted(given)).toBe(false);
  });

  it('with public names, these count and the Host header does not', () => {
    const publicHosts = ['signal.example.org', '2001:db8::5'];
    expect(admitted(frame({ host: 'signal.example.org' }), 'internal:7443', publicHosts)).toBe(true);
    expect(admitted(frame({ host: 'Signal.Example.org:8443' }), 'internal:7443', publicHosts)).toBe(true);
    expect(admitted(frame({ host: '[2001:db8::5]:7443' }), 'x', publicHosts)).toBe(true);
    expect(admitted(frame({ host: 'evil.example.org' }), 'evil.example.org', publicHosts)).toBe(false);
  });

  it.each([
    ['Example.org', 'example.org'],
    ['example.org:7443', 'example.org'],
    ['192.0.2.1:1', '192.0.2.1'],
    ['[2001:DB8::1]:7443', '2001:db8::1'],
    ['[::1]', '::1'],
    ['2001:db8::1', '2001:db8::1'],
  ])('the host of %s is %s', (text, host) => {
    expect(bareHost(text)).toBe(host);
  });
});

describe('over real connections', () => {
  it('0 of 1,000 hijacks; the owner gets in among them', { timeout: 60_000 }, async () => {
    const url = await start();
    const victim = createIdentity();
    const owner = await new RawClient(scope, url, victim).register();
    const stolen = new RawClient(scope, url, victim);
    const { nonce: oldNonce } = await stolen.heard('challenge');
    const { host } = new URL(url);
    const oldSignature = signFor('register/1', victim, registrationProof(oldNonce, host)).toString(
      'base64url',
    );
    const outcomes = new Map<string, number>();
    const hijack = async (i: number) => {
      const thief = new RawClient(scope, url);
      const { nonce } = await thief.heard('challenge');
      const own = signFor('register/1', thief.identity, registrationProof(nonce, host)).toString('base64url');
      const flipped = Buffer.from(own, 'base64url');
      flipped[i % 64]! ^= 1 << (i % 8);
      const signature = [own, oldSignature, flipped.toString('base64url'), 'A'.repeat(86)][i % 4];
      thief.say({ type: 'register', id: victim.id, host, signature });
      const outcome = await Promise.race([
        thief
          .heard('welcome')
          .then(() => 'in')
          .catch(() => 'out'),
        thief.closed,
      ]);
      outcomes.set(String(outcome), (outcomes.get(String(outcome)) ?? 0) + 1);
    };
    for (let i = 0; i < 1000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => hijack(i + j)));
    }
    expect(Object.fromEntries(outcomes)).toEqual({ 4003: 1000 });
    const friend = await new RawClient(scope, url).register();
    friend.post(victim.id, 1);
    expect((await owner.heard('deliver')).from).toBe(friend.id);
  });

  it('one signature, one registration: the nonce is of no use on another connection', async () => {
    const url = await start();
    const first = await new RawClient(scope, url).register();
    const second = new RawClient(scope, url);
    const [a, b] = [await first.heard('challenge'), await second.heard('challenge')];
    expect(a.nonce).not.toBe(b.nonce);
  });

  it('a client that dialled another name is turned away where the names are known, with the reason', async () => {
    const url = await start({ publicHosts: ['signal.example.org'] });
    const wrong = new RawClient(scope, url);
    await expect(wrong.register()).rejects.toThrow(/4003/);
    const right = new RawClient(scope, url);
    await right.register({ host: 'signal.example.org' });
  });

  it.each([
    ['a send before registering', { type: 'send', ref: 1, to: createIdentity().id, box: 'AAAA' }],
    ['a register without signature', { type: 'register', id: createIdentity().id, host: 'x' }],
    ['an unknown frame', { type: 'constructor' }],
    ['no JSON', '}'],
    ['a binary frame', Buffer.from([1, 2, 3])],
    ['an oversized frame', 'x'.repeat(30_000)],
  ])('%s ends the connection', async (_, frame) => {
    const client = new RawClient(scope, await start());
    await client.heard('challenge');
    client.socket.send(Buffer.isBuffer(frame) || typeof frame === 'string' ? frame : JSON.stringify(frame));
    expect([4002, 1009]).toContain(await client.closed);
  });
});
