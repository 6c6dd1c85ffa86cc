// How fast the STUN codec is, on one core: what a responder or a relay does for every packet.
// Alone: `npx tsx bench/stun.ts`.
import { pathToFileURL } from 'node:url';
import { encodeMessage, newTransactionId } from '../src/stun/encode.js';
import { decodeMessage } from '../src/stun/message.js';

export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

const ROUND = 100_000;
const ROUNDS = 7;

/** The median of several rounds, in operations a second. */
function rate(operation: (i: number) => unknown): number {
  let kept: unknown; // results are kept, so that the work cannot be optimised away
  for (let i = 0; i < ROUND; i++) kept = operation(i);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < ROUND; i++) kept = operation(i);
    rates.push((ROUND / (performance.now() - start)) * 1000);
  }
  if (kept === undefined) throw new Error('the operation did nothing');
  return Math.round(rates.sort((a, b) => a - b)[ROUNDS >> 1]!);
}

export function benchStun(): BenchResult[] {
  const transactionId = newTransactionId();
  const mapped = { host: '192.0.2.1', port: 32853 };
  const key = Buffer.alloc(16, 1);
  const answer = () =>
    encodeMessage({
      class: 'success',
      method: 'Binding',
      transactionId,
      attributes: [['XOR-MAPPED-ADDRESS', mapped]],
      fingerprint: true,
    });
  const bytes = answer();
  const sealed = encodeMessage({
    class: 'success',
    method: 'Binding',
    transactionId,
    attributes: [['XOR-MAPPED-ADDRESS', mapped]],
    integrity: { key },
    fingerprint: true,
  });
  const perSecond = (name: string, operation: (i: number) => unknown): BenchResult => ({
    name,
    unit: '1/s',
    value: rate(operation),
  });
  return [
    perSecond('decode a Binding response: frame and fingerprint', () => decodeMessage(bytes)),
    perSecond('… and its XOR-MAPPED-ADDRESS', () => decodeMessage(bytes).get('XOR-MAPPED-ADDRESS')),
    perSecond('decode a sealed response with its address', () =>
      decodeMessage(sealed).get('XOR-MAPPED-ADDRESS'),
    ),
    perSecond('encode a Binding response with fingerprint', answer),
    perSecond('draw a transaction id', newTransactionId),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.table(benchStun());
