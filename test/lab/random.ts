// The laboratory's only source of chance: seeded, so that a run can be repeated. Each user draws from a
// stream of its own, named by text, so that one link's traffic does not move another link's dice.

export type Random = () => number;

/** A stream of numbers in [0, 1) that depends on the seed and the name alone (FNV-1a, then mulberry32). */
export function seededRandom(seed: number, name = ''): Random {
  let state = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
