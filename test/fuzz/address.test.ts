// The address decoder against what nobody should send (security.md rows 3 and 7): only AddressError may come out.
// Half of the inputs carry their owner's valid signature: a signature says who wrote it, not that it makes sense.
import { describe, expect, it } from 'vitest';
import { NodeAddress } from '../../src/address/node-address.js';
import { AddressError } from '../../src/errors.js';
import { signFor } from '../../src/identity/keys.js';
import { identity, interfaceAt, measured, NOW, signed } from '../unit/address/samples.js';
import { FUZZ_INPUTS, mutated, seeded } from './seeded.js';

const SEED = 0xadd2;
const SIGNATURE_BYTES = 64;
const corpus = [
  signed(measured()),
  signed(),
  signed({ interfaces: [] }),
  signed({ interfaces: Array.from({ length: 16 }, (_, i) => interfaceAt(`10.0.${i}.1`)) }),
].map(address => address.toBytes().subarray(0, -SIGNATURE_BYTES));

/** Whether the input was accepted; anything but an AddressError fails the test. */
function survives(input: string | Buffer): boolean {
  try {
    const address = NodeAddress.parse(input, NOW);
    const again = NodeAddress.parse(address.toString(), NOW);
    if (!again.toBytes().equals(address.toBytes())) throw new Error('its text says something else');
    return true;
  } catch (error) {
    if (error instanceof AddressError && error.field !== '' && /^[ -~]*$/.test(error.message)) return false;
    const text = typeof input === 'string' ? JSON.stringify(input) : input.toString('hex');
    throw new Error(`seed ${SEED}: ${text}`, { cause: error });
  }
}

/** Time of this process, milliseconds: what others do on the machine is not in it. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function report(what: string, accepted: number, slowestMs: number): void {
  console.log(
    `      ${what}: ${FUZZ_INPUTS} inputs, ${accepted} accepted, slowest ${slowestMs.toFixed(1)} ms`,
  );
}

function fuzz(what: string, next: (random: () => number) => string | Buffer): number {
  const random = seeded(SEED);
  let accepted = 0;
  let slowestMs = 0;
  for (let i = 0; i < FUZZ_INPUTS; i++) {
    const input = next(random);
    const start = cpuMs();
    if (survives(input)) accepted++;
    slowestMs = Math.max(slowestMs, cpuMs() - start);
  }
  report(what, accepted, slowestMs);
  return accepted;
}

const pick = (random: () => number) => corpus[random() % corpus.length]!;
const signedBy = (bytes: Buffer) => Buffer.concat([bytes, signFor('address/1', identity, bytes)]);
const text = (bytes: Buffer) => `wl1${bytes.toString('base64url')}`;

/** A copy of which the format's own parts are changed: a minor version, one byte, or a field more. */
function reshaped(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  if (random() % 2) copy[1] = random() % 3;
  const at = random() % copy.length;
  if (random() % 4) copy[at] = random() & 0xff;
  const length = random() % 20;
  const extra = [random() % 12, length, ...Array.from({ length }, () => random() & 0xff)];
  return random() % 3 ? copy : Buffer.concat([copy, Buffer.from(extra)]);
}

describe(`fuzz, ${FUZZ_INPUTS} inputs each`, () => {
  it('bytes, altered and signed again by their owner', () => {
    const accepted = fuzz('altered and signed', random => {
      const altered = random() % 4 ? reshaped(pick(random), random) : mutated(pick(random), random);
      return random() % 2 ? signedBy(altered) : Buffer.concat([altered, Buffer.alloc(SIGNATURE_BYTES)]);
    });
    // The twin: some changes make another valid address, so a decoder that refuses everything fails here.
    expect(accepted).toBeGreaterThan(FUZZ_INPUTS / 100);
  }, 300_000);

  it('text, altered, and noise: nothing of it is accepted', () => {
    const whole = corpus.map(bytes => text(signedBy(bytes)));
    expect(whole.every(survives)).toBe(true);
    const accepted = fuzz('text and noise', random => {
      switch (random() % 3) {
        case 0: {
          const from = whole[random() % whole.length]!;
          const altered = mutated(Buffer.from(from), random).toString('latin1');
          return altered === from ? '' : altered;
        }
        case 1:
          return text(Buffer.from(Array.from({ length: random() % 300 }, () => random() & 0xff)));
        default:
          return String.fromCharCode(...Array.from({ length: random() % 60 }, () => random() & 0xffff));
      }
    });
    expect(accepted).toBe(0);
  }, 300_000);
});

describe('the most work that 4 KiB can make', () => {
  const head = corpus[2]!;
  const room = 3069 - SIGNATURE_BYTES - head.length;
  const filled = (piece: Buffer, minor: number) => {
    const bytes = Buffer.concat([
      head,
      ...Array.from({ length: Math.floor(room / piece.length) }, () => piece),
    ]);
    bytes[1] = minor;
    return signedBy(bytes);
  };
  it.each([
    ['1,400 unknown fields', filled(Buffer.from([250, 0]), 1), true],
    ['300 interfaces', filled(Buffer.from([8, 7, 1, 5, 24, 10, 0, 0, 1]), 0), false],
    ['700 empty interfaces', filled(Buffer.from([8, 0]), 0), false],
    ['an interface of 1,400 unknown fields', signedBy(nested()), true],
    ['200 servers', filled(Buffer.from('\x07\x09ws://a.bc', 'latin1'), 0), false],
  ])('%s', (what, input, valid) => {
    const runs = Array.from({ length: 10 }, () => {
      const start = cpuMs();
      expect(survives(input)).toBe(valid);
      return cpuMs() - start;
    });
    const best = Math.min(...runs); // the others were disturbed by whatever else the machine does
    console.log(`      ${what}: ${best.toFixed(1)} ms`);
    expect(best).toBeLessThan(10);
  });

  function nested(): Buffer {
    const value = Buffer.concat([
      Buffer.from([1, 5, 24, 10, 0, 0, 1]),
      Buffer.alloc(2800, Buffer.from([250, 0])),
    ]);
    const bytes = Buffer.concat([
      head,
      Buffer.from([8, 0x80 | (value.length >> 8), value.length & 0xff]),
      value,
    ]);
    bytes[1] = 1;
    return bytes;
  }
});
