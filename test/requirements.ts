// What some tests need of the machine beyond Node.js. Where it is missing they are skipped, with the package
// to install in their title; where WAYLEAVE_REQUIRE names it (comma separated), they fail instead.
import { execFileSync } from 'node:child_process';
import { describe, test } from 'vitest';
import { TOOL_PATH, worldAbility } from './lab/world/isolation.js';

/** Programs, and the Debian package that brings each. */
const PROGRAMS = {
  chromium: { program: 'chromium', debianPackage: 'chromium' },
  coturn: { program: 'turnserver', debianPackage: 'coturn' },
  miniupnpd: { program: 'miniupnpd', debianPackage: 'miniupnpd-nftables' },
  mosquitto: { program: 'mosquitto', debianPackage: 'mosquitto' },
  nats: { program: 'nats-server', debianPackage: 'nats-server' },
  systemd: { program: 'systemd-analyze', debianPackage: 'systemd' },
  'stun-client': { program: 'stun', debianPackage: 'stun-client' },
} as const;

export type RequirementName = 'lab' | keyof typeof PROGRAMS;

/** Why this machine does not meet it; undefined where it does. `lab` is tried out, programs are looked up. */
export async function whatIsMissing(name: RequirementName): Promise<string | undefined> {
  if (name === 'lab') {
    const ability = await worldAbility();
    return ability.able ? undefined : ability.reason;
  }
  const { program, debianPackage } = PROGRAMS[name];
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { env: { ...process.env, PATH: SYSTEM_PATH } });
    return undefined;
  } catch {
    return `${program} is missing: apt-get install ${debianPackage}`;
  }
}

/** What the system brings: npm's tools put programs of packages first, one of which is also called `stun`. */
export const SYSTEM_PATH = TOOL_PATH.split(':')
  .filter(directory => !directory.includes('node_modules'))
  .join(':');

type Describe = (title: string, body: () => void) => void;

/**
 * A `describe` for tests that need all of these:
 * `const describeLab = await requirement('lab'); describeLab('…', () => { test(…) });`
 */
export async function requirement(...names: readonly RequirementName[]): Promise<Describe> {
  const required = new Set((process.env.WAYLEAVE_REQUIRE ?? '').split(','));
  for (const name of names) {
    const missing = await whatIsMissing(name);
    if (missing === undefined) continue;
    if (!required.has(name)) return (title, body) => describe.skip(`${title} [skipped: ${missing}]`, body);
    return title =>
      describe(title, () => {
        test(`needs ${name}`, () => {
          throw new Error(`WAYLEAVE_REQUIRE asks for ${name}, but ${missing}`);
        });
      });
  }
  return describe;
}
