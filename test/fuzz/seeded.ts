// Repeatable randomness for fuzzing: the seed is printed with every failure, so that it can be run again.

/** A generator of 32-bit numbers (xorshift32). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** A copy with a few bytes changed, and perhaps cut, doubled or lengthened. */
export function mutated(bytes: Buffer, random: () => number): Buffer {
  let copy = Buffer.from(bytes);
  for (let i = random() % 6; i >= 0 && copy.length > 0; i--) copy[random() % copy.length] = random() & 0xff;
  switch (random() % 8) {
    case 0:
      return copy.subarray(0, random() % (copy.length + 1));
    case 1:
      return Buffer.concat([copy, copy]);
    case 2:
      return Buffer.concat([copy, Buffer.alloc(random() % 40, random())]);
    case 3: {
      // A length field that fits again, so that the fuzzing reaches behind the header.
      copy = copy.subarray(0, 20 + ((random() % Math.max(1, copy.length - 20)) & ~3));
      if (copy.length >= 20) copy.writeUInt16BE(copy.length - 20, 2);
      return copy;
    }
    default:
      return copy;
  }
}

/** How many inputs a fuzz test feeds: 100,000, or WAYLEAVE_FUZZ. */
export const FUZZ_INPUTS = Number(process.env.WAYLEAVE_FUZZ ?? 100_000);
