// A TURN server as the tests want it: no socket, no state, each request answered as told.
import type { Attribute } from '../../../src/stun/attributes.js';
import { longTermKey, nonceWith } from '../../../src/stun/credentials.js';
import { encodeMessage } from '../../../src/stun/encode.js';
import { type StunErrorNumber, stunError } from '../../../src/stun/error-codes.js';
import { decodeMessage, type StunMessage } from '../../../src/stun/message.js';
import { PASSWORD_ALGORITHMS } from '../../../src/stun/password-algorithms.js';

export const SERVER = { host: '192.0.2.1', port: 3478 };
export const CREDENTIALS = { username: 'alice', password: 'secret' };
const REALM = 'example.org';
export const RELAYED = { host: '192.0.2.1', port: 50_000 };
export const MAPPED = { host: '198.51.100.7', port: 40_000 };

/** Something that sends and receives: `Requests` and `Allocation` both. */
export interface Machine {
  takeOutput(): Buffer | undefined;
  receive(message: StunMessage, nowMs: number): void;
}

/** Takes everything that the machine wants to send. */
export function outputOf(machine: Machine): StunMessage[] {
  const all: StunMessage[] = [];
  for (let bytes = machine.takeOutput(); bytes; bytes = machine.takeOutput()) all.push(decodeMessage(bytes));
  return all;
}

export function oneOutputOf(machine: Machine): StunMessage {
  const all = outputOf(machine);
  if (all.length !== 1) throw new Error(`${all.length} messages, not one`);
  return all[0]!;
}

export const KEYS = {
  sha1: { key: longTermKey(CREDENTIALS, REALM), hashes: ['sha1'] },
  sha256: { key: longTermKey(CREDENTIALS, REALM, PASSWORD_ALGORITHMS['SHA-256']), hashes: ['sha256'] },
} as const;

/** A proved answer, unless another key or none is asked for. */
export function success(
  request: StunMessage,
  attributes: readonly Attribute[] = [],
  integrity: (typeof KEYS)['sha1' | 'sha256'] | { key: Buffer } | 'none' = KEYS.sha1,
): StunMessage {
  const { transactionId, method } = request;
  const proof = integrity === 'none' ? {} : { integrity };
  return decodeMessage(encodeMessage({ class: 'success', method, transactionId, attributes, ...proof }));
}

export function refusal(
  request: StunMessage,
  code: number,
  attributes: readonly Attribute[] = [],
  integrity: { key: Buffer } | 'none' = KEYS.sha1,
): StunMessage {
  const { transactionId, method } = request;
  const proof = integrity === 'none' ? {} : { integrity };
  const error: Attribute = ['ERROR-CODE', stunError(code as StunErrorNumber, 'as told')];
  return decodeMessage(
    encodeMessage({ class: 'error', method, transactionId, attributes: [error, ...attributes], ...proof }),
  );
}

export function challenge(
  request: StunMessage,
  code: 401 | 438,
  nonce = 'nonce-1',
  sha256 = false,
): StunMessage {
  const offer: Attribute[] = [
    [
      'PASSWORD-ALGORITHMS',
      [
        { algorithm: PASSWORD_ALGORITHMS['SHA-256'], parameters: Buffer.alloc(0) },
        { algorithm: PASSWORD_ALGORITHMS.MD5, parameters: Buffer.alloc(0) },
      ],
    ],
  ];
  const full = sha256 ? nonceWith({ passwordAlgorithms: true, usernameAnonymity: false }, nonce) : nonce;
  const attributes: Attribute[] = [['REALM', REALM], ['NONCE', full], ...(sha256 ? offer : [])];
  const { transactionId, method } = request;
  const error: Attribute = ['ERROR-CODE', stunError(code)];
  return decodeMessage(
    encodeMessage({ class: 'error', method, transactionId, attributes: [error, ...attributes] }),
  );
}

export function indication(
  method: 'Data' | 'ConnectionAttempt',
  attributes: readonly Attribute[],
): StunMessage {
  const transactionId = Buffer.alloc(12, 7);
  return decodeMessage(encodeMessage({ class: 'indication', method, transactionId, attributes }));
}
