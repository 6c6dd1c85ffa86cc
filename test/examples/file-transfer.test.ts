// examples/file-transfer: whole files, cut transfers that go on where they stopped, constant memory.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Example, example } from './example.js';

const MIB = 1024 * 1024;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

let directory: string;
let file: string;
let into: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wayleave-files-'));
  file = join(directory, 'data.bin');
  into = join(directory, 'in');
  await mkdir(into);
});
afterEach(() => rm(directory, { recursive: true }));

/** Waits until so many bytes have arrived in the part file. */
async function arrived(bytes: number): Promise<void> {
  const part = join(into, 'data.bin.part');
  for (;;) {
    const size = await stat(part).then(
      ({ size }) => size,
      () => 0,
    );
    if (size >= bytes) return;
    await sleep(5);
  }
}

/** Where a fetch went on, as it says. */
const wentOnAt = ({ stderr }: Example) => Number(/going on at (\d+)/.exec(stderr)?.[1] ?? 0);

/** The process's peak of resident memory so far, in bytes. */
async function peakBytes({ child }: Example): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

describe('examples/file-transfer', () => {
  it.each([0, 1, 3 * MIB + 7])('brings over a file of %i bytes', async size => {
    const content = randomBytes(size);
    await writeFile(file, content);
    await using sender = example('file-transfer', 'offer', file);
    const receiver = example('file-transfer', 'fetch', await sender.address(), into);
    expect(await receiver.exit).toBe(0);
    expect(receiver.stdout).toContain(`data.bin: ${size} bytes by direct, sha256 ${sha256(content)}`);
    expect(content.equals(await readFile(join(into, 'data.bin')))).toBe(true);
    expect(existsSync(join(into, 'data.bin.part'))).toBe(false);
    const again = example('file-transfer', 'fetch', await sender.address(), into);
    expect(await again.exit).toBe(1);
    expect(again.stderr).toContain('exists already');
  });

  it('goes on where it stopped, after kill -9 of the receiver', async () => {
    const content = randomBytes(16 * MIB);
    await writeFile(file, content);
    await using sender = example('file-transfer', 'offer', file, '--limit', String(4 * MIB));
    await using first = example('file-transfer', 'fetch', await sender.address(), into);
    await arrived(2 * MIB);
    await first[Symbol.asyncDispose]();
    const second = example('file-transfer', 'fetch', await sender.address(), into);
    expect(await second.exit).toBe(0);
    expect(wentOnAt(second)).toBeGreaterThanOrEqual(2 * MIB);
    expect(sha256(await readFile(join(into, 'data.bin')))).toBe(sha256(content));
  });

  it('goes on where it stopped, after kill -9 of the sender', async () => {
    const content = randomBytes(16 * MIB);
    await writeFile(file, content);
    await using first = example('file-transfer', 'offer', file, '--limit', String(4 * MIB));
    const cut = example('file-transfer', 'fetch', await first.address(), into);
    await arrived(2 * MIB);
    await first[Symbol.asyncDispose]();
    expect(await cut.exit).toBe(1);
    expect(cut.stderr).toContain('fetch again to go on');
    await using second = example('file-transfer', 'offer', file);
    const receiver = example('file-transfer', 'fetch', await second.address(), into);
    expect(await receiver.exit).toBe(0);
    expect(wentOnAt(receiver)).toBeGreaterThanOrEqual(2 * MIB);
    expect(sha256(await readFile(join(into, 'data.bin')))).toBe(sha256(content));
  });

  it('begins anew when the part is not the beginning of the file', async () => {
    const content = randomBytes(2 * MIB);
    await writeFile(file, content);
    await writeFile(join(into, 'data.bin.part'), randomBytes(MIB));
    await using sender = example('file-transfer', 'offer', file);
    const receiver = example('file-transfer', 'fetch', await sender.address(), into);
    expect(await receiver.exit).toBe(0);
    expect(wentOnAt(receiver)).toBe(0);
    expect(sha256(await readFile(join(into, 'data.bin')))).toBe(sha256(content));
  });

  it.runIf(process.platform === 'linux')('needs no more memory for a larger file', async () => {
    const size = 384 * MIB; // by hand with 2 GiB and more: see the head of the example
    await writeFile(file, '');
    await truncate(file, size); // sparse: nothing is written
    await using sender = example('file-transfer', 'offer', file);
    await using receiver = example('file-transfer', 'fetch', await sender.address(), into);
    let receiverPeak = 0;
    let done = false;
    const ended = receiver.exit.then(code => {
      done = true;
      return code;
    });
    while (!done) {
      receiverPeak = Math.max(receiverPeak, await peakBytes(receiver));
      await sleep(20);
    }
    expect(await ended).toBe(0);
    expect(receiver.stdout).toContain(`${size} bytes`);
    expect(receiverPeak).toBeGreaterThan(20 * MIB); // it was measured
    expect(receiverPeak).toBeLessThan(220 * MIB);
    expect(await peakBytes(sender)).toBeLessThan(220 * MIB);
  });
});
