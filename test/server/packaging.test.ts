// The packaging, as far as it can be tried without Docker and without a booted systemd: the unit against systemd's own
// judgement, the image's contents as a directory that runs read-only and as nobody, the compose file against what
// it mounts and sets.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveServerOptions, serverOptionsSchema } from '../../signalling-server/options.js';
import { CONFIG_VARIABLE, configurationOf } from '../../src/cli/server-configuration.js';
import { settingsOf } from '../../src/cli/server-settings.js';
import { Scope } from '../../src/net/scope.js';
import { requirement, SYSTEM_PATH } from '../requirements.js';
import { RawClient } from './raw-client.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const at = (path: string) => join(ROOT, path);
const text = (path: string) => readFileSync(at(path), 'utf8');
const env = { ...process.env, PATH: SYSTEM_PATH };

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const describeSystemd = await requirement('systemd');
describeSystemd('the systemd unit', () => {
  const unit = at('packaging/wayleave.service');

  it('systemd finds nothing wrong with it', () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', unit], { env, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('its exposure is 1.5 of 10 or less', () => {
    const report = execFileSync('systemd-analyze', ['security', '--offline=true', unit], {
      env,
      encoding: 'utf8',
    });
    const exposure = Number(/exposure level for wayleave\.service: ([\d.]+)/.exec(report)?.[1]);
    expect(exposure).toBeLessThanOrEqual(1.5);
    expect(exposure).toBeGreaterThan(0);
  });

  it('reloads by SIGHUP, and gives the server longer to drain than it takes', () => {
    expect(text('packaging/wayleave.service')).toMatch(/^ExecReload=.*-HUP \$MAINPID$/m);
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(text('packaging/wayleave.service'))?.[1]);
    expect(seconds * 1000).toBeGreaterThan(resolveServerOptions({}).drainWithinMs);
  });
});

describe('server.json', () => {
  it('is a configuration', async () => {
    const said = { file: at('packaging/server.json'), environment: {}, flags: new Map() };
    const { options } = await configurationOf(serverOptionsSchema, said);
    expect(options.publicHosts).toEqual(['signal.example.org']);
  });
});

describe('docs/operations.md and docs/self-hosting.md', () => {
  it.each(['docs/operations.md', 'docs/self-hosting.md'])('%s: the files that it names are there', path => {
    const braces = (name: string) => {
      const list = /^(.*)\{(.*)\}(.*)$/.exec(name);
      return list ? list[2]!.split(',').map(word => `${list[1]}${word}${list[3]}`) : [name];
    };
    const named = [...text(path).matchAll(/`((?:test|packaging)\/[\w{},./-]+)`/g)].flatMap(([, name]) =>
      braces(name!),
    );
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter(name => !existsSync(at(name)))).toEqual([]);
  });
});

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly restart?: string;
}

describe('compose.yaml', () => {
  const compose = parse(text('packaging/compose.yaml')) as {
    services: Record<string, Service>;
    secrets: Record<string, { file: string }>;
  };

  it('is the server, coturn, NATS and Prometheus, each without capabilities and started again', () => {
    expect(Object.keys(compose.services)).toEqual(['server', 'coturn', 'nats', 'prometheus']);
    for (const service of Object.values(compose.services)) {
      expect(service).toMatchObject({
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
      });
    }
    expect(compose.services.server).toMatchObject({ read_only: true });
  });

  it('sets variables that the server knows', async () => {
    const variables = Object.keys(compose.services.server!.environment!);
    const known = settingsOf(serverOptionsSchema).map(({ variable }) => variable);
    expect(variables.length).toBeGreaterThan(3);
    expect(variables.filter(name => ![...known, CONFIG_VARIABLE].includes(name))).toEqual([]);
  });

  it('mounts files that are there', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) =>
      volumes.map(volume => volume.split(':')[0]!),
    );
    const files = mounted.filter(path => path.startsWith('./'));
    expect(files.length).toBeGreaterThan(2);
    expect(files.filter(path => !existsSync(join(at('packaging'), path)))).toEqual([]);
  });

  it('Prometheus reads the rules where they are mounted, and YAML they are', () => {
    const { rule_files: rules } = parse(text('packaging/prometheus.yml')) as { rule_files: string[] };
    expect(compose.services.prometheus!.volumes!.some(volume => volume.includes(`:${rules[0]}:`))).toBe(true);
    const { groups } = parse(text('packaging/prometheus-rules.yml')) as {
      groups: { rules: Record<string, unknown>[] }[];
    };
    for (const rule of groups.flatMap(group => group.rules)) {
      expect(rule).toMatchObject({
        alert: expect.any(String),
        expr: expect.any(String),
        annotations: expect.anything(),
      });
    }
  });

  it('coturn refuses what docs/self-hosting.md says it must', () => {
    const denied = (of: string) => of.match(/^denied-peer-ip=.*$/gm);
    expect(denied(text('packaging/turnserver.conf'))).toEqual(denied(text('docs/self-hosting.md')));
  });
});

describe('the Dockerfile', () => {
  const lines = text('packaging/Dockerfile').replaceAll('\\\n', ' ').split('\n');
  const instructions = (name: string) =>
    lines.filter(line => line.startsWith(`${name} `)).map(line => line.slice(name.length + 1));

  it('names the major version of Node.js, ends as a user who is not root, and checks its health', () => {
    for (const from of instructions('FROM')) expect(from).toMatch(/^node:\d+-/);
    expect(instructions('USER').at(-1)).toBe('node');
    expect(instructions('HEALTHCHECK')).toHaveLength(1);
  });

  it('copies what is there, and what .dockerignore lets through', () => {
    const copied = instructions('COPY')
      .filter(line => !line.startsWith('--from'))
      .flatMap(line => line.split(' ').slice(0, -1));
    const admitted = text('packaging/Dockerfile.dockerignore')
      .split('\n')
      .filter(line => line.startsWith('!'));
    for (const path of copied) {
      expect(existsSync(at(path)), path).toBe(true);
      expect(admitted).toContain(`!${path}`);
    }
  });
});

// The image's directory as its last stage puts it together: the built server and the packages that it needs at run time.
const describeLab = await requirement('lab'); // namespaces, for the read-only root
describeLab('what is in the image', () => {
  let app = '';
  beforeAll(() => {
    app = mkdtempSync(join(tmpdir(), 'wayleave-image-'));
    chmodSync(app, 0o755);
    const list = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const packages = list
      .split('\n')
      .flatMap(path => path.split('/node_modules/').slice(1).join('/node_modules/') || []);
    expect(packages).toContain('ws');
    expect(packages).not.toContain('vitest');
    for (const path of packages)
      cpSync(at(`node_modules/${path}`), join(app, 'node_modules', path), { recursive: true });
    for (const path of ['dist/src', 'dist/signalling-server', 'package.json', 'LICENSE'])
      cpSync(at(path), join(app, path), { recursive: true });
    cpSync(at('packaging/healthcheck.mjs'), join(app, 'healthcheck.mjs'));
  });
  afterAll(() => rmSync(app, { recursive: true }));

  const health = (port: number | string) =>
    spawnSync(process.execPath, [join(app, 'healthcheck.mjs')], {
      env: { ...env, WAYLEAVE_SERVER_PORT: String(port) },
    }).status;

  /** A read-only root for one process, in which it is nobody. */
  const asNobody =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['setpriv'];
  const confinement = [
    ...['unshare', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-c'],
    ...['mount --bind / / && mount -o remount,ro,bind / && cd / && exec "$@"', 'sh'],
    ...[...asNobody, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'],
  ];

  it('serves with a read-only root, without a capability, as nobody; is healthy; ends in good order', async () => {
    const args = [
      ...confinement.slice(1),
      process.execPath,
      join(app, 'dist/src/cli/main.js'),
      'server',
      '--json',
    ];
    const variables = {
      WAYLEAVE_SERVER_HOST: '127.0.0.1',
      WAYLEAVE_SERVER_PORT: '0',
      WAYLEAVE_SERVER_STUN_PORT: '0',
    };
    const child = spawn(confinement[0]!, args, { env: { ...env, ...variables } });
    scope.defer(() => child.kill('SIGKILL'));
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const { signalling } = JSON.parse(line);
    const { port } = new URL(signalling);
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    expect(status).toMatch(/^CapEff:\t0+$/m);
    if (process.getuid?.() === 0) expect(status).toMatch(/^Uid:\t65534\t65534/m);
    expect(readFileSync(`/proc/${child.pid}/mounts`, 'utf8')).toMatch(/^\S+ \/ \S+ ro,/m);
    await new RawClient(scope, signalling).register();
    expect(health(port)).toBe(0);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(health(port)).toBe(1);
  });
});
