// How an administrator tells the server what to do: file, environment, flags, the later over the earlier; whatever is
// wrong is named as it was said; and nothing secret is shown.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../signalling-server/index.js';
import { effectiveOptions } from '../../signalling-server/options/effective.js';
import { serverOptionsSchema } from '../../signalling-server/options.js';
import { configurationOf } from '../../src/cli/server-configuration.js';
import { certificatePem } from './certificates.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const SECRET = 'a-secret-that-nobody-may-see';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wayleave-configuration-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function file(name: string, content: unknown): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const configure = (
  said: {
    file?: string;
    environment?: NodeJS.ProcessEnv;
    flags?: Record<string, string | string[] | boolean>;
  } = {},
) =>
  configurationOf(serverOptionsSchema, {
    file: said.file,
    environment: said.environment ?? {},
    flags: new Map(Object.entries(said.flags ?? {})),
  });

/** `wayleave server` with these arguments and variables, to its end. */
function command(
  args: string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, ...environment };
  return new Promise(resolve =>
    execFile(process.execPath, [MAIN, 'server', ...args], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    ),
  );
}

describe('precedence', () => {
  it('flags over variables over the file over the defaults of the command', async () => {
    const { options, origins } = await configure({
      file: await file('server.json', { port: 1, connectionsPerIp: 1, maxConnections: 1 }),
      environment: { WAYLEAVE_SERVER_PORT: '2', WAYLEAVE_SERVER_CONNECTIONS_PER_IP: '2' },
      flags: { port: '3' },
    });
    expect(options).toMatchObject({
      port: 3,
      connectionsPerIp: 2,
      maxConnections: 1,
      logLevel: 'warn',
      stunPort: 3478,
    });
    expect(origins.get('port')).toBe('--port');
    expect(origins.get('connectionsPerIp')).toBe('WAYLEAVE_SERVER_CONNECTIONS_PER_IP');
    expect(origins.get('maxConnections')).toContain('server.json: option maxConnections');
  });

  it('who names the STUN port means it', async () => {
    expect((await configure()).options.stunPortTaken).toBe('take-another');
    for (const said of [
      { flags: { stunPort: '1000' } },
      { environment: { WAYLEAVE_SERVER_STUN_PORT: '1000' } },
    ])
      expect((await configure(said)).options.stunPortTaken).toBe('fail');
    const both = { flags: { stunPort: '1000', stunPortTaken: 'take-another' } };
    expect((await configure(both)).options.stunPortTaken).toBe('take-another');
  });

  it('WAYLEAVE_TURN_SECRET is heard, other variables are nobody’s business', async () => {
    const environment = { WAYLEAVE_TURN_SECRET: SECRET, WAYLEAVE_SERVERS: 'ws://x', PATH: '/bin' };
    expect((await configure({ environment })).options.turnSecret).toBe(SECRET);
  });

  it('a burst follows its rate unless it is given', async () => {
    const burst = async (options: object) => (await effectiveOptions(options)).messageBurst;
    expect([
      await burst({}),
      await burst({ messagesPerSecond: 7 }),
      await burst({ messagesPerSecond: 7, messageBurst: 9 }),
    ]).toEqual([40, 14, 9]);
  });
});

describe('what is wrong is named as it was said', () => {
  it.each([
    ['an unknown key', { prot: 1 }, /server\.json: option prot: there is no such option/],
    [
      'a key that JavaScript knows',
      '{"__proto__": {}, "constructor": 1}',
      /option __proto__|option constructor/,
    ],
    ['a value out of range', { port: 70_000 }, /server\.json: option port: .*65535/],
    [
      'a value inside a value',
      { turn: [{ urls: ['http://x'], username: 'u', credential: 'c' }] },
      /option turn\.0\.urls\.0/,
    ],
    ['no JSON', '{"port": 1,}', /server\.json: not JSON/],
    ['no object', '[1]', /server\.json: a configuration is an object/],
  ])('%s in the file', async (_, content, message) => {
    const refused = configure({ file: await file('server.json', content) });
    await expect(refused).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [{ WAYLEAVE_SERVER_PROT: '1' }, 'WAYLEAVE_SERVER_PROT: there is no such option'],
    [{ WAYLEAVE_SERVER_PORT: 'tcp://10.0.0.1:7443' }, 'WAYLEAVE_SERVER_PORT: '],
    [{ WAYLEAVE_SERVER_TRUSTED_PROXIES: '10.0.0.0/8,proxy' }, 'WAYLEAVE_SERVER_TRUSTED_PROXIES.1: '],
    [{ WAYLEAVE_TURN_SECRET: 'short' }, 'WAYLEAVE_TURN_SECRET: '],
  ])('in the environment: %j', async (environment, message) => {
    await expect(configure({ environment })).rejects.toThrow(message);
  });

  it.each([
    [['--port', '70000'], '--port: '],
    [['--tls-cert', 'x'], 'tlsCert and tlsKey belong together (--tls-cert)'],
    [['--tls-cert', '/none', '--tls-key', '/none'], 'cannot read /none: ENOENT (--tls-'],
    [['--config', '/none'], '/none: cannot be read: ENOENT'],
    [
      ['--turn-secret-file', '/none'],
      'option turnSecretFile: cannot read /none: ENOENT (--turn-secret-file)',
    ],
    [
      ['--turn-secret', SECRET, '--turn-secret-file', '/none'],
      'exclude each other (--turn-secret, --turn-secret-file)',
    ],
  ])('flags: %j; exit 2', async (args, message) => {
    const { code, err, out } = await command(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err).not.toContain(SECRET);
  });
});

describe('secrets in files', () => {
  it('are read, and white space around them cut off', async () => {
    const turnSecretFile = await file('secret', `${SECRET}\n`);
    await using server = await createServer({
      host: '127.0.0.1',
      port: 0,
      stunPort: null,
      turnSecretFile,
      turnUrls: ['turn:192.0.2.1'],
    });
    expect(server.listening.turn).toEqual(['turn:192.0.2.1']);
  });

  it.each([
    ['', 'is empty'],
    ['short', 'too short'],
  ])('%j is refused: %s', async (content, message) => {
    const turnSecretFile = await file('secret', content);
    await expect(effectiveOptions({ turnSecretFile })).rejects.toThrow(message);
  });
});

describe('--check', () => {
  it('prints what it all comes to, where each was said, and no secret; opens no port', async () => {
    const { cert, key } = certificatePem();
    const configuration = {
      tlsCert: await file('cert.pem', cert),
      tlsKey: await file('key.pem', key),
      turn: [{ urls: ['turn:192.0.2.1'], username: 'user', credential: SECRET }],
      port: 9,
    };
    const path = await file('server.json', configuration);
    const environment = { WAYLEAVE_SERVER_CONFIG: path, WAYLEAVE_TURN_SECRET: SECRET };
    const { code, out } = await command(['--check', '--port', '1'], environment); // port 1 could not be opened
    expect(code).toBe(0);
    expect(out).toMatch(/^port +1 +\(--port\)$/m);
    expect(out).toMatch(/^turnSecret +"\(hidden\)" +\(WAYLEAVE_TURN_SECRET\)$/m);
    expect(out).toMatch(/^certificateExpires +"9999-/m);
    expect(out).not.toContain(SECRET);
    expect(out).not.toContain(key.split('\n')[1]);
    const json = JSON.parse((await command(['--check', '--json'], environment)).out);
    expect(json).toMatchObject({
      event: 'configuration',
      options: { port: 9, turn: '(hidden)', connectionsPerIp: 20 },
    });
    expect(JSON.stringify(json)).not.toContain(SECRET);
  });

  it('a certificate that does not belong to its key: exit 2, with the reason', async () => {
    const paths = [
      '--tls-cert',
      await file('cert.pem', certificatePem().cert),
      '--tls-key',
      await file('key.pem', certificatePem().key),
    ];
    const { code, err } = await command(['--check', ...paths]);
    expect(code).toBe(2);
    expect(err).toContain('option tls: ');
  });

  it('passwords in URLs are hidden wherever they are', async () => {
    const effective = await effectiveOptions({
      stun: ['stun:192.0.2.1'],
      publicHosts: [`x://user:${SECRET}@host`],
    });
    expect(JSON.stringify(effective)).not.toContain(SECRET);
    expect(effective.publicHosts).toEqual(['x://(hidden)@host']);
  });
});
