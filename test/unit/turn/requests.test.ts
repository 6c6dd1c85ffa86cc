// Requests to a TURN server: every response must prove itself (security.md, row 32).
import { describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { encodeMessage } from '../../../src/stun/encode.js';
import { verifyIntegrity } from '../../../src/stun/integrity.js';
import { decodeMessage, type StunMessage } from '../../../src/stun/message.js';
import { type Outcome, Requests } from '../../../src/turn/requests.js';
import { TurnError } from '../../../src/turn/turn-error.js';
import {
  CREDENTIALS,
  challenge,
  KEYS,
  oneOutputOf,
  outputOf,
  refusal,
  SERVER,
  success,
} from './scripted-server.js';

function begin(reliable = true) {
  const requests = new Requests({ server: SERVER, credentials: CREDENTIALS, reliable });
  const outcomes: Outcome[] = [];
  requests.start(0, 'Refresh', [['LIFETIME', 600]], outcome => void outcomes.push(outcome));
  return { requests, outcomes, first: oneOutputOf(requests) };
}

/** Past the challenge: what was sent with credentials. */
function authorized(sha256 = false) {
  const begun = begin();
  begun.requests.receive(challenge(begun.first, 401, 'nonce-1', sha256), 10);
  return { ...begun, second: oneOutputOf(begun.requests) };
}

const errorOf = (outcomes: Outcome[]) => {
  const [outcome] = outcomes;
  return outcome && !outcome.ok ? outcome.error : undefined;
};

describe('the way through the challenge', () => {
  it('asks first without credentials, then with them, under a new transaction id', () => {
    const { first, second, requests, outcomes } = authorized();
    expect(first.has('USERNAME')).toBe(false);
    expect(second.get('USERNAME')).toBe('alice');
    expect(second.transactionKey).not.toBe(first.transactionKey);
    expect(verifyIntegrity(second, KEYS.sha1.key, 'sha1')).toBe(true);
    requests.receive(success(second), 20);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true]);
  });

  it('uses SHA-256 where it is offered', () => {
    const { second, requests, outcomes } = authorized(true);
    expect(verifyIntegrity(second, KEYS.sha256.key, 'sha256')).toBe(true);
    expect(second.has('MESSAGE-INTEGRITY')).toBe(false);
    requests.receive(success(second, [], KEYS.sha1), 20); // the weaker proof is none
    expect(outcomes).toEqual([]);
    requests.receive(success(second, [], KEYS.sha256), 20);
    expect(outcomes[0]?.ok).toBe(true);
  });

  it('gives up at the second 401: the credentials are wrong', () => {
    const { second, requests, outcomes } = authorized();
    requests.receive(challenge(second, 401, 'nonce-2'), 20);
    expect(outputOf(requests)).toEqual([]);
    expect(errorOf(outcomes)).toMatchObject({ number: 401, remedyKind: 'credentials' });
  });

  it('takes a fresh nonce after 438, but not for ever', () => {
    const { second, requests, outcomes } = authorized();
    let last = second;
    for (let i = 2; i <= 4; i++) {
      requests.receive(challenge(last, 438, `nonce-${i}`), 20);
      last = oneOutputOf(requests);
      expect(last.get('NONCE')).toBe(`nonce-${i}`);
    }
    requests.receive(challenge(last, 438, 'nonce-5'), 20);
    expect(errorOf(outcomes)).toMatchObject({ number: 438 });
  });

  it('is spared to a later request, and to a connection that inherits the authorization', () => {
    const { second, requests } = authorized();
    requests.receive(success(second), 20);
    requests.start(30, 'Refresh', [], () => {});
    expect(oneOutputOf(requests).get('NONCE')).toBe('nonce-1');
    const { authorization } = requests;
    const heir = new Requests({ server: SERVER, credentials: CREDENTIALS, reliable: true, authorization });
    heir.start(30, 'ConnectionBind', [], () => {});
    const bind = oneOutputOf(heir);
    expect(bind.get('NONCE')).toBe('nonce-1');
    heir.receive(challenge(bind, 401, 'its own nonce'), 40); // a server whose nonces hold for one connection only
    expect(oneOutputOf(heir).get('NONCE')).toBe('its own nonce');
  });
});

describe('what does not prove itself is as if it had never come', () => {
  it.each([
    ['a success without integrity', (m: StunMessage) => success(m, [], 'none')],
    ['a success with another key', (m: StunMessage) => success(m, [], { key: Buffer.from('guess') })],
    ['an error without integrity', (m: StunMessage) => refusal(m, 437, [], 'none')],
    ['an error with another key', (m: StunMessage) => refusal(m, 486, [], { key: Buffer.from('guess') })],
    [
      'a redirection without integrity',
      (m: StunMessage) => refusal(m, 300, [['ALTERNATE-SERVER', SERVER]], 'none'),
    ],
  ] as const)('%s', (_, forge) => {
    const { second, requests, outcomes } = authorized();
    requests.receive(forge(second), 20);
    expect(outcomes).toEqual([]);
    requests.receive(success(second), 30); // the twin: the true answer still counts
    expect(outcomes[0]?.ok).toBe(true);
  });

  it('a success that asked for no credentials', () => {
    const { first, requests, outcomes } = begin();
    requests.receive(success(first), 20);
    requests.receive(success(first, [], 'none'), 20);
    expect(outcomes).toEqual([]);
  });

  it('an answer to another transaction, or by another method', () => {
    const { second, first, requests, outcomes } = authorized();
    requests.receive(success(first), 20);
    const { transactionId } = second;
    const other = encodeMessage({ class: 'success', method: 'Connect', transactionId, integrity: KEYS.sha1 });
    requests.receive(decodeMessage(other), 20);
    expect(outcomes).toEqual([]);
  });

  it('a challenge that was robbed of its password algorithms (RFC 8489 section 9.2.5)', () => {
    const { first, requests, outcomes } = begin();
    const robbed = challenge(first, 401, 'obMatJos2AAAB-rest');
    requests.receive(robbed, 10);
    expect(outputOf(requests)).toEqual([]);
    requests.advance(39_500);
    expect(errorOf(outcomes)?.message).toContain('robbed of its password algorithms');
  });

  it('and the timeout says what was not believed', () => {
    const { second, requests, outcomes } = authorized();
    requests.receive(refusal(second, 486, [], 'none'), 20);
    requests.advance(10 + 39_500);
    expect(errorOf(outcomes)).toMatchObject({ code: 'no-answer' });
    expect(errorOf(outcomes)?.message).toContain('486 without proof');
  });
});

describe('errors', () => {
  it.each([
    [300, 'another-server'],
    [400, 'nothing'],
    [403, 'nothing'],
    [420, 'nothing'],
    [437, 'another-port'],
    [440, 'another-family'],
    [441, 'credentials'],
    [442, 'another-transport'],
    [443, 'nothing'],
    [446, 'nothing'],
    [447, 'nothing'],
    [486, 'later'],
    [508, 'later'],
    [499, 'nothing'],
    [599, 'another-server'],
    [399, 'another-server'],
  ])('%i means %s', (number, remedyKind) => {
    const { second, requests, outcomes } = authorized();
    requests.receive(refusal(second, number), 20);
    expect(errorOf(outcomes)).toBeInstanceOf(TurnError);
    expect(errorOf(outcomes)).toMatchObject({ code: 'request-failed', number, remedyKind });
  });

  it('a proved 300 names the other server and goes nowhere', () => {
    const { second, requests, outcomes } = authorized();
    requests.receive(refusal(second, 300, [['ALTERNATE-SERVER', { host: '203.0.113.9', port: 3478 }]]), 20);
    expect(errorOf(outcomes)).toMatchObject({ number: 300, alternate: '203.0.113.9:3478' });
    expect(outputOf(requests)).toEqual([]);
  });

  it('the reason is cleaned before it can reach a terminal', () => {
    expect(new TurnError('Allocate', 403, '\u001b[31mboo\u0007\n').message).toMatch(/403 \[31mboo$/);
  });
});

describe('time', () => {
  it('over UDP a request is sent 7 times, then given up (RFC 8489 section 6.2.1)', () => {
    const { requests, outcomes } = begin(false);
    const sentAt: number[] = [0];
    for (let next = requests.nextDeadlineMs(); next !== undefined; next = requests.nextDeadlineMs()) {
      requests.advance(next);
      if (outputOf(requests).length > 0) sentAt.push(next);
      else expect(next).toBe(39_500);
    }
    expect(sentAt).toEqual([0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expect(errorOf(outcomes)).toMatchObject({ code: 'no-answer' });
  });

  it('over TCP it is sent once', () => {
    const { requests, outcomes } = begin(true);
    expect(requests.nextDeadlineMs()).toBe(39_500);
    requests.advance(39_499);
    expect(outcomes).toEqual([]);
    requests.advance(39_500);
    expect(errorOf(outcomes)).toBeInstanceOf(WayleaveError);
    expect(requests.nextDeadlineMs()).toBeUndefined();
  });
});
