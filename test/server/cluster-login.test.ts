// How `wayleave server --nats` gets into NATS: passwords, tokens, TLS, and that none of it shows; and the client
// package, which is needed with that option alone. Runs the built command line.

import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { CliProcess, run } from '../cli/cli.js';
import { requirement } from '../requirements.js';
import { readiness, type ServerProcess, startMember, startServer } from './cluster.js';
import { startNats } from './nats.js';

const CERTIFICATE = fileURLToPath(new URL('../vectors/loopback-certificate.pem', import.meta.url));
const KEY = fileURLToPath(new URL('../vectors/loopback-key.pem', import.meta.url));
const SECRET = 'correct%20horse:1';
const DECODED = 'correct horse:1';

/** Everything a server has said. */
const said = ({ process }: ServerProcess) => `${process.lines.join('\n')}${process.stderr}`;

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const describeNats = await requirement('nats');
describeNats('logging in to NATS', () => {
  const servers = (credentials: string, port: number, scheme = 'nats') => [
    '--nats',
    `${scheme}://${credentials}127.0.0.1:${port}`,
    '--log-level',
    'debug',
  ];

  it.each([
    ['user and password', `authorization { user: "way", password: "${DECODED}" }`, `way:${SECRET}@`],
    ['a token', `authorization { token: "${DECODED}" }`, `${SECRET.replace(':', '%3A')}@`],
  ])('%s: joins with the right one, not with a wrong one, and shows neither', async (_, config, login) => {
    const nats = await startNats(scope, config);
    const right = await startServer(scope, servers(login, nats.port));
    await readiness(right, 200);
    const wrong = await startServer(scope, servers(login.replace('horse', 'house'), nats.port));
    while (!wrong.process.stderr.includes('NATS is not reached')) await systemClock.sleep(20);
    await readiness(wrong, 503);
    expect(wrong.process.stderr).toMatch(/authorization violation/i);
    for (const server of [right, wrong]) expect(said(server)).not.toMatch(/horse|house/);
  });

  it('a user confined to wayleave.1.> is all it takes', async () => {
    const nats = await startNats(
      scope,
      `authorization { users = [{ user: w, password: w, permissions: { publish: "wayleave.1.>", subscribe: "wayleave.1.>" } }] }`,
    );
    const member = await startMember(scope, `nats://w:w@127.0.0.1:${nats.port}`);
    expect(member.process.stderr).not.toContain('"level":50');
  });

  it.each(['publish', 'subscribe'])(
    'a user who may not %s: never ready, and the log says why',
    async verb => {
      const nats = await startNats(
        scope,
        `authorization { users = [{ user: w, password: w, permissions: { ${verb}: "other.>" } }] }`,
      );
      const server = await startServer(scope, servers('w:w@', nats.port));
      while (!server.process.stderr.includes('wayleave.1.>')) await systemClock.sleep(20);
      await readiness(server, 503);
    },
  );

  it('tls: joins where the certificate is vouched for, and only there', async () => {
    const nats = await startNats(scope, `tls { cert_file: "${CERTIFICATE}", key_file: "${KEY}" }`);
    const trusting = { NODE_EXTRA_CA_CERTS: CERTIFICATE };
    await readiness(await startServer(scope, servers('', nats.port, 'tls'), trusting), 200);
    const wary = await startServer(scope, servers('', nats.port, 'tls'));
    while (!wary.process.stderr.includes('NATS is not reached')) await systemClock.sleep(20);
    await readiness(wary, 503);
  });

  it('tls: an unencrypted NATS will not do', async () => {
    const nats = await startNats(scope);
    const server = await startServer(scope, servers('', nats.port, 'tls'));
    while (!server.process.stderr.includes('NATS is not reached')) await systemClock.sleep(20);
    await readiness(server, 503);
  });
});

describe('wayleave server without NATS', () => {
  // a loader that knows everything but the one package
  const absent = `export const resolve = (name, context, next) => {
    if (name === '@nats-io/transport-node') throw new Error('no such package');
    return next(name, context);
  };`;
  const register = `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(absent)}));`;
  const without = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(register)}` };

  it('does not need its package', async () => {
    const server = await startServer(scope, [], without);
    await readiness(server, 200);
  });

  it('says which package is missing when asked for it', async () => {
    const args = ['server', '--host', '127.0.0.1', '--port', '0', '--stun-port', '0'];
    const server = scope.use(new CliProcess([...args, '--nats', 'nats://127.0.0.1:4222'], without));
    expect(await server.exit).toBe(1);
    expect(server.stderr).toContain('install the package @nats-io/transport-node');
    expect(server.stderr).toContain('(missing-package)');
  });

  it.each(['http://user:hunter2@127.0.0.1', 'nats://user:hunter2@', 'nats://a,hunter2'])(
    'wrong usage, --nats %s: exit 2, and the URL is not repeated',
    async url => {
      const { code, stderr } = await run('server', '--port', '0', '--nats', url);
      expect(code).toBe(2);
      expect(stderr).toContain('nats://HOST:PORT');
      expect(stderr).not.toContain('hunter2');
    },
  );
});
