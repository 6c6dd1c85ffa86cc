// How fast the STUN codec is on one core: what a responder or a relay does for every packet. Beside it, the
// npm package `stun` doing the same. Alone: `npm run bench stun`.
import { encodeMessage, newTransactionId } from '../src/stun/encode.js';
import { decodeMessage } from '../src/stun/message.js';
import { type Figure, median } from './figures.js';

export const title = 'STUN codec, one core';

const ROUND = 100_000;
const ROUNDS = 7;

/** Seconds of processor time that this process has used: neighbours on the machine do not count. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The median of several rounds, in operations for a second of one core. */
function rate(operation: () => unknown): number {
  let kept: unknown; // results are kept, so that the work cannot be optimised away
  for (let i = 0; i < ROUND; i++) kept = operation();
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = cpuSeconds();
    for (let i = 0; i < ROUND; i++) kept = operation();
    rates.push(ROUND / (cpuSeconds() - start));
  }
  if (kept === undefined) throw new Error('the operation did nothing');
  return Math.round(median(rates));
}

interface StunPackage {
  decode(bytes: Buffer): { getXorAddress(): unknown };
}

export async function run(progress: (text: string) => void): Promise<Figure[]> {
  const transactionId = newTransactionId();
  const plan = {
    class: 'success',
    method: 'Binding',
    transactionId,
    attributes: [['XOR-MAPPED-ADDRESS', { host: '192.0.2.1', port: 32_853 }] as const],
    fingerprint: true,
  } as const;
  const bytes = encodeMessage(plan);
  const sealed = encodeMessage({ ...plan, integrity: { key: Buffer.alloc(16, 1) } });
  const bare = encodeMessage({ ...plan, fingerprint: false });
  const name: string = 'stun'; // it brings no types
  const { default: foreign } = (await import(name)) as { default: StunPackage };
  const figure = (name: string, operation: () => unknown, more: Partial<Figure> = {}): Figure => {
    progress(name);
    return { name, unit: '1/s', value: rate(operation), ...more };
  };
  const atLeast = (least: number) => ({ limit: { of: 'value', least } }) as const;
  const baseline = {
    name: 'npm stun, no fingerprint',
    value: rate(() => foreign.decode(bare).getXorAddress()),
  };
  return [
    figure('decode a Binding response: frame, fingerprint', () => decodeMessage(bytes), atLeast(1_000_000)),
    figure('… and its XOR-MAPPED-ADDRESS', () => decodeMessage(bytes).get('XOR-MAPPED-ADDRESS'), {
      ...atLeast(1_000_000),
      baseline,
    }),
    figure('decode a sealed one and its address', () => decodeMessage(sealed).get('XOR-MAPPED-ADDRESS')),
    figure('encode a Binding response with fingerprint', () => encodeMessage(plan), atLeast(500_000)),
    figure('draw a transaction id', newTransactionId),
  ];
}
