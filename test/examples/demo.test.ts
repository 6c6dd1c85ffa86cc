// `npm run demo`, the first thing that people run: every strategy that this machine can show, exit code 0.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { requirement } from '../requirements.js';

let running: Promise<string> | undefined;
const demo = () => {
  const options = { timeout: 110_000 };
  running ??= promisify(execFile)(process.execPath, ['dist/examples/demo.js'], options).then(
    ({ stdout }) => stdout,
  );
  return running;
};

const describeLab = await requirement('lab');

describe('the demo', () => {
  it('shows direct, reverse and relay, and ends well', { timeout: 120_000 }, async () => {
    const text = await demo();
    for (const strategy of ['direct', 'reverse', 'relay'])
      expect(text).toMatch(new RegExp(`pipe open by ${strategy} in`));
  });
});

describeLab('the demo, where worlds can be built', () => {
  it('shows punches through real NATs', { timeout: 120_000 }, async () => {
    const text = await demo();
    expect(text.match(/pipe open by punch in/g)).toHaveLength(2);
    expect(text.match(/Bob echoed: ping from Alice/g)).toHaveLength(2);
  });
});
