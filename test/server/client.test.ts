// One registered client, without a network: what is held for it, how its frames leave, how it is cut off.
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { Client } from '../../signalling-server/client.js';
import { Counts } from '../../signalling-server/counts.js';
import { resolveServerOptions, type ServerOptions } from '../../signalling-server/options.js';
import { createIdentity } from '../../src/identity/keys.js';

function client({ reads = true, options = {} }: { reads?: boolean; options?: ServerOptions } = {}) {
  const log: string[] = [];
  const writes: string[][] = [];
  const counts = new Counts();
  const socket = {
    OPEN: 1,
    readyState: 1,
    close: (code: number) => log.push(`close ${code}`),
    terminate: () => log.push('terminate'),
    ping: () => log.push('ping'),
  };
  const stream = {
    writableLength: 0,
    write(text: string) {
      writes.push(payloads(text));
      if (!reads) stream.writableLength += text.length;
    },
  };
  const due: Client[] = [];
  const both = { socket: socket as unknown as WebSocket, stream: stream as unknown as Duplex };
  const { id } = createIdentity();
  const resolved = resolveServerOptions(options);
  const self = new Client({ id, way: 'w' }, '192.0.2.1', both, resolved, counts, 0, dirty => due.push(dirty));
  return { self, stream, writes, frames: () => writes.flat(), log, counts, due };
}

/** A frame of 1,024 bytes, header included. */
const KIB = 'x'.repeat(1020);

/** The payloads of joined frames that are shorter than 64 KiB. */
function payloads(text: string): string[] {
  if (text === '') return [];
  const [, short, high, low] = Buffer.from(text.slice(0, 4), 'latin1');
  const [from, length] = short === 126 ? [4, high! * 256 + low!] : [2, short!];
  return [text.slice(from, from + length), ...payloads(text.slice(from + length))];
}

describe('a client that reads', () => {
  it('gets what one turn of the event loop brings in one write', () => {
    const { self, writes, due } = client();
    const frames = Array.from({ length: 5 }, (_, i) => `frame ${i}`);
    for (const frame of frames) expect(self.push(frame)).toBe('sent');
    expect([writes, due.length]).toEqual([[], 1]);
    self.flush();
    expect(writes).toEqual([frames]);
    self.push('next turn');
    expect(due.length).toBe(2);
  });

  it('gets more in one turn than would be held for one that does not', () => {
    const { self, frames, log } = client();
    for (let i = 0; i < 1000; i++) expect(self.push(KIB)).toBe('sent');
    self.flush();
    expect([frames().length, log]).toEqual([1000, []]);
  });

  it('hears of its messages in one frame a turn, by reason', () => {
    const { self, frames } = client();
    for (const ref of [3, 1, 2]) self.acknowledge(ref);
    self.refuse(9, 'not-here');
    self.refuse(8, 'rate-limited');
    self.refuse(7, 'not-here');
    expect(frames()).toEqual([]);
    self.flush();
    expect(frames().map(frame => JSON.parse(frame))).toEqual([
      { type: 'sent', refs: [3, 1, 2] },
      { type: 'undelivered', refs: [9, 7], reason: 'not-here' },
      { type: 'undelivered', refs: [8], reason: 'rate-limited' },
    ]);
    self.flush();
    expect(frames()).toHaveLength(3);
  });

  it('never gets more than 4,096 refs in a frame', () => {
    const { self, frames } = client();
    for (let ref = 0; ref < 10_000; ref++) {
      self.acknowledge(ref);
      self.refuse(ref, 'not-here');
    }
    self.flush();
    const refs = frames().map(frame => (JSON.parse(frame) as { refs: number[] }).refs.length);
    expect(Math.max(...refs)).toBeLessThanOrEqual(4096);
    expect(refs.reduce((sum, n) => sum + n)).toBe(20_000);
  });
});

describe('a client that does not read', () => {
  it('is held 256 KiB and not a byte more, then dropped at once', () => {
    const { self, frames, log, counts } = client({ reads: false });
    const outcomes = Array.from({ length: 300 }, () => self.push(KIB));
    expect(outcomes.filter(outcome => outcome === 'sent')).toHaveLength(256);
    expect(outcomes.filter(outcome => outcome === 'too-slow')).toHaveLength(1);
    expect(outcomes.at(-1)).toBe('not-here');
    expect([frames().length, log, counts.cut['too-slow']]).toEqual([256, ['terminate'], 1]);
  });

  it('is dropped when it is only acknowledgements that it does not read', () => {
    const { self, log, stream } = client({ reads: false });
    for (let ref = 0; ref < 1_000_000 && log.length === 0; ref++) self.acknowledge(ref);
    expect(log).toEqual(['terminate']);
    expect(stream.writableLength).toBeLessThanOrEqual(256 * 1024);
  });
});

describe('being cut off', () => {
  it.each([
    ['taken-over', 'close 4001'],
    ['protocol-error', 'close 4002'],
    ['flooding', 'close 4005'],
    ['draining', 'close 1001'],
    ['silent', 'terminate'],
    ['too-slow', 'terminate'],
  ] as const)('%s: %s, once', (reason, how) => {
    const { self, log, counts } = client();
    self.cut(reason, 'words');
    self.cut('silent', 'again');
    expect([log, counts.cut[reason], self.isCut]).toEqual([[how], 1, true]);
    expect(self.push('late')).toBe('not-here');
  });

  it('a patience of ten times the rate: refused first, cut off later', () => {
    const { self, log } = client();
    const allowed = Array.from({ length: 440 }, () => self.maySend(0)).filter(Boolean);
    expect([allowed.length, log]).toEqual([40, []]);
    self.maySend(0);
    expect(log).toEqual(['close 4005']);
  });
});
