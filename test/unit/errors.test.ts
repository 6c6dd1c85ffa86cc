import { describe, expect, it } from 'vitest';
import {
  AddressError,
  abortError,
  ConnectError,
  DecodeError,
  ERRORS,
  type ErrorCode,
  WayleaveError,
} from '../../src/errors.js';
import { REASONS, REFUSALS, reasonOf, StrategyFailure } from '../../src/strategies/reasons.js';

const CODES = Object.keys(ERRORS) as ErrorCode[];

describe('errors', () => {
  it.each(CODES)('%s: says what it means and what to do', code => {
    const error = new WayleaveError(code, 'message');
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(ERRORS[code].meaning).toMatch(/^[A-Z].*\.$/);
    expect(error.remedy).toMatch(/^[A-Z`].*\.$/);
    expect(error).toMatchObject({ code, message: 'message', name: 'WayleaveError' });
  });

  it('have their names, places and causes', () => {
    const cause = new Error('cause');
    const attempts = [{ strategy: 'direct', outcome: 'failed', reason: 'no-answer', ms: 5 }] as const;
    const errors = [
      new AddressError('interfaces/port', 'is 3 bytes'),
      new DecodeError('attribute/family', 'is 7'),
      new ConnectError('connect-failed', 'no way', attempts, { cause }),
    ];
    for (const error of errors) expect(error).toBeInstanceOf(WayleaveError);
    expect(errors).toMatchObject([
      {
        name: 'AddressError',
        code: 'bad-address',
        field: 'interfaces/port',
        message: 'interfaces/port: is 3 bytes',
      },
      {
        name: 'DecodeError',
        code: 'bad-message',
        place: 'attribute/family',
        message: 'attribute/family: is 7',
      },
      { name: 'ConnectError', code: 'connect-failed', attempts, cause },
    ]);
    expect(new AddressError('expiresAt', 'is over', 'address-expired').code).toBe('address-expired');
  });
});

describe('the error that answers an abort', () => {
  it('is the signal’s reason, if it is ours', () => {
    const reason = new WayleaveError('closed', 'closed');
    expect(abortError(AbortSignal.abort(reason))).toBe(reason);
  });

  it.each([undefined, null, 'a string', new Error('an error')])('is `aborted` for %o', reason => {
    const { signal } = Object.assign(new AbortController());
    const error = abortError(reason === undefined ? AbortSignal.abort() : AbortSignal.abort(reason));
    expect(error).toMatchObject({ code: 'aborted' });
    if (reason !== undefined) expect(error.cause).toBe(reason);
    expect(signal.aborted).toBe(false);
  });
});

describe('reasons', () => {
  const system = (code: string) =>
    new WayleaveError('dial-failed', 'failed', { cause: Object.assign(new Error(), { code }) });

  it.each([
    [system('ECONNREFUSED'), 'connection-refused'],
    [system('ETIMEDOUT'), 'no-answer'],
    [system('EHOSTUNREACH'), 'unreachable'],
    [system('ENETUNREACH'), 'unreachable'],
    [system('ESOMETHING'), 'dial-failed'],
    [system('constructor'), 'dial-failed'],
    [system('__proto__'), 'dial-failed'],
    [new WayleaveError('dial-failed', 'failed'), 'dial-failed'],
    [new WayleaveError('refused', 'refused'), 'peer-refused'],
    [new WayleaveError('timeout', 'late'), 'out-of-time'],
    [new WayleaveError('aborted', 'aborted'), 'aborted'],
    [new WayleaveError('closed', 'closed'), 'aborted'],
    [new WayleaveError('protocol-error', 'nonsense'), 'handshake-failed'],
    [new WayleaveError('wrong-identity', 'another'), 'wrong-identity'],
    [new WayleaveError('missing-package', 'none'), 'failed'],
    [new StrategyFailure('peer-silent'), 'peer-silent'],
    [new Error('an error'), 'failed'],
    [undefined, 'failed'],
  ])('%o is reported as %s', (error, reason) => expect(reasonOf(error)).toBe(reason));

  it('has a reason of the list for every code', () => {
    for (const code of CODES) expect(REASONS).toHaveProperty(reasonOf(new WayleaveError(code, '')));
  });

  it('are sentences', () => {
    for (const [reason, meaning] of Object.entries(REASONS)) {
      expect(reason).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(meaning).toMatch(/^[A-Z].*\.$/);
    }
    for (const refusal of REFUSALS) expect(REASONS).toHaveProperty(refusal);
  });
});
