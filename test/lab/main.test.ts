// The command `npm run lab` runs: what it refuses, and that it says what it can do.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from './nat-kinds.js';
import { builtProgram } from './world/agent-client.js';

async function lab(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [builtProgram('main'), ...args]);
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe('npm run lab', () => {
  test('--help lists the options of the contract', async () => {
    const { code, stdout } = await lab('--help');
    expect(code).toBe(0);
    for (const option of ['--only', '--one-way-ms', '--loss', '--runs', '--json'])
      expect(stdout).toContain(option);
  });
  test.each([
    [['--only', 'open,nonsense'], 'nonsense'],
    [['--runs', '0'], 'from 1'],
    [['--loss', '2'], 'from 0'],
    [['--no-such-option'], 'unknown option'],
  ])('%j is wrong usage: exit code 2', async (args, complaint) => {
    const { code, stderr } = await lab(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(complaint);
  });
  test('a kind that is not known is answered with all that are', async () => {
    const { stderr } = await lab('--only', 'nonsense');
    for (const kind of Object.keys(NAT_KINDS)) expect(stderr).toContain(kind);
  });
});
