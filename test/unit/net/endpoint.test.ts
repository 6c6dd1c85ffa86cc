import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndpoint, parseEndpoint, sameEndpoint, toEndpoint } from '../../../src/net/endpoint.js';
import { ipFromBytes } from '../../../src/net/ip-scope.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const endpoint = fc.record({
  host: fc.oneof(bytes(4), bytes(16)).map(ipFromBytes),
  port: fc.integer({ min: 1, max: 65535 }),
});

describe('an endpoint', () => {
  it('reads back from what it is written as', () => {
    fc.assert(
      fc.property(endpoint, value => {
        expect(parseEndpoint(formatEndpoint(value))).toEqual(value);
        expect(toEndpoint(value.host, value.port)).toEqual(value);
      }),
      { numRuns: 2000 },
    );
    expect(formatEndpoint({ host: '1.2.3.4', port: 5 })).toBe('1.2.3.4:5');
    expect(formatEndpoint({ host: '2001:db8::1', port: 5 })).toBe('[2001:db8::1]:5');
  });

  it('is canonical, whatever the spelling', () => {
    expect(parseEndpoint('[2001:DB8:0::0001]:443')).toEqual({ host: '2001:db8::1', port: 443 });
    expect(toEndpoint('0:0:0:0:0:0:0:1', 443)).toEqual({ host: '::1', port: 443 });
  });

  it.each([
    '',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:0',
    '1.2.3.4:00080',
    '1.2.3.4:65536',
    '1.2.3.4:99999',
    '1.2.3.4:-1',
    '1.2.3.4:8e1',
    '1.2.3.4:80 ',
    ' 1.2.3.4:80',
    '1.2.3.4:80\n',
    '1.2.3:80',
    '01.2.3.4:80',
    'localhost:80',
    '[localhost]:80',
    '[1.2.3.4]:80',
    '2001:db8::1:80',
    '[2001:db8::1]',
    '[2001:db8::1]80',
    '[fe80::1%eth0]:80',
    '[::g]:80',
    '１.2.3.4:80',
  ])('is not %j', text => expect(parseEndpoint(text)).toBeUndefined());

  it.each([0, -1, 65536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '80' as unknown as number])(
    'has no port %j',
    port => expect(toEndpoint('1.2.3.4', port)).toBeUndefined(),
  );

  it('is the same when host and port are', () => {
    const a = { host: '1.2.3.4', port: 5 };
    expect(sameEndpoint(a, { ...a })).toBe(true);
    expect(sameEndpoint(a, { ...a, port: 6 })).toBe(false);
    expect(sameEndpoint(a, { ...a, host: '1.2.3.5' })).toBe(false);
  });
});
