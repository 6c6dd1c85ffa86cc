// What some tests need of the machine beyond Node.js. Where it is missing they are skipped, with the package
// to install in their title; where WAYLEAVE_REQUIRE names it (comma separated), they fail instead.
import { execFileSync } from 'node:child_process';
import { describe, test } from 'vitest';

const PROGRAMS = { coturn: { program: 'turnserver', debianPackage: 'coturn' } } as const;

type Describe = (title: string, body: () => void) => void;

export async function requirement(...names: readonly (keyof typeof PROGRAMS)[]): Promise<Describe> {
  const required = new Set((process.env.WAYLEAVE_REQUIRE ?? '').split(','));
  for (const name of names) {
    const { program, debianPackage } = PROGRAMS[name];
    try {
      execFileSync('sh', ['-c', `command -v ${program}`]);
    } catch {
      const missing = `${program} is missing: apt-get install ${debianPackage}`;
      if (!required.has(name)) return (title, body) => describe.skip(`${title} [skipped: ${missing}]`, body);
      return title =>
        describe(title, () => void test(`needs ${name}: ${missing}`, () => Promise.reject(missing)));
    }
  }
  return describe;
}
