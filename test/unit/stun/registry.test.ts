// Every number in our tables is IANA's for that name: the registry is kept as data in test/vectors.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, type AttributeName } from '../../../src/stun/attributes.js';
import { ERROR_CODES } from '../../../src/stun/error-codes.js';
import { FIRST_CHANNEL, LAST_CHANNEL } from '../../../src/stun/framing.js';
import { classOf, METHODS, methodOf, packType } from '../../../src/stun/message-type.js';
import { PASSWORD_ALGORITHMS } from '../../../src/stun/password-algorithms.js';

const registry = JSON.parse(
  readFileSync(new URL('../../vectors/iana-stun-parameters.json', import.meta.url), 'utf8'),
) as {
  methods: Record<string, string>;
  attributes: Record<string, string>;
  errorCodes: Record<string, string>;
  channelNumbers: { first: string; last: string };
  passwordAlgorithms: Record<string, string>;
};

const byNumber = (table: Record<string, string>) =>
  new Map(Object.entries(table).map(([number, name]) => [Number(number), name]));

describe('the tables against the registry of IANA', () => {
  it.each(Object.entries(METHODS))('method %s', (name, number) => {
    expect(byNumber(registry.methods).get(number)).toBe(name);
  });

  const OURS: readonly AttributeName[] = ['DIAL-BACK', 'OTHER-PORT', 'ANSWER-AFTER'];
  const attributes = (Object.keys(ATTRIBUTES) as AttributeName[]).filter(name => !OURS.includes(name));
  it.each(attributes)('attribute %s', name => {
    // What RFC 5780 and RFC 3489 use is registered as "Reserved; was NAME".
    const registered = byNumber(registry.attributes).get(ATTRIBUTES[name].type);
    expect(registered?.replace('Reserved; was ', '')).toBe(name);
  });

  it.each(OURS)('%s is ours: a number that nobody has, from the range that may be ignored', name => {
    const { type } = ATTRIBUTES[name];
    expect(byNumber(registry.attributes).has(type)).toBe(false);
    expect(type).toBeGreaterThanOrEqual(0xc000);
  });

  it('every number is used once', () => {
    const types = Object.values(ATTRIBUTES).map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
  });

  it.each(Object.entries(ERROR_CODES))('error %s', (code, words) => {
    expect(registry.errorCodes[code]).toBe(words);
  });

  it('channel numbers and password algorithms', () => {
    expect([FIRST_CHANNEL, LAST_CHANNEL]).toEqual([
      Number(registry.channelNumbers.first),
      Number(registry.channelNumbers.last),
    ]);
    for (const [name, number] of Object.entries(PASSWORD_ALGORITHMS)) {
      expect(byNumber(registry.passwordAlgorithms).get(number)).toBe(name);
    }
  });
});

describe('method and class share 14 bits', () => {
  it('as RFC 8489 figure 3 has it', () => {
    expect(packType(METHODS.Binding, 'request')).toBe(0x0001);
    expect(packType(METHODS.Binding, 'indication')).toBe(0x0011);
    expect(packType(METHODS.Binding, 'success')).toBe(0x0101);
    expect(packType(METHODS.Binding, 'error')).toBe(0x0111);
    expect(packType(METHODS.Allocate, 'error')).toBe(0x0113);
    expect(packType(METHODS.Send, 'indication')).toBe(0x0016);
  });

  it('for each of the 4,096 methods and 4 classes, both come back', () => {
    for (const messageClass of ['request', 'indication', 'success', 'error'] as const) {
      for (let method = 0; method < 0x1000; method++) {
        const type = packType(method, messageClass);
        expect(type).toBeLessThan(0x4000);
        if (methodOf(type) !== method || classOf(type) !== messageClass) expect.fail(`${method}`);
      }
    }
  });
});
