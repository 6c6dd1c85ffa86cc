// The transaction as a state machine: when it sends, when it gives up, and what counts as its answer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { rfcSchedule, STREAM_SCHEDULE, Transaction } from '../../../src/stun/transaction.js';

const server = { host: '192.0.2.1', port: 3478 };
const transactionId = newTransactionId();
const message = (change: Partial<Parameters<typeof encodeMessage>[0]> = {}) =>
  decodeMessage(encodeMessage({ class: 'success', method: 'Binding', transactionId, ...change }));
const request = message({ class: 'request' });
const start = (schedule = rfcSchedule()) =>
  new Transaction({ request, schedule, startMs: 0, answerFrom: [server] });

describe('the schedule', () => {
  it('is the one of RFC 8489 section 6.2.1', () => {
    expect(rfcSchedule()).toEqual({
      sendAtMs: [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500],
      giveUpMs: 39_500,
    });
    expect(STREAM_SCHEDULE).toEqual({ sendAtMs: [0], giveUpMs: 39_500 });
  });

  it('is kept, however the clock jumps forward', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 60 }), steps => {
        const transaction = start();
        let now = 0;
        let sends = 0;
        for (const step of [0, ...steps]) {
          now += step;
          for (let due = transaction.poll(now); due === 'send'; due = transaction.poll(now)) sends++;
          const planned = rfcSchedule().sendAtMs.filter(at => at <= now).length;
          expect(sends).toBe(planned);
        }
        expect(transaction.poll(39_499)).not.toBe('give-up');
      }),
    );
  });

  it('ends by giving up', () => {
    const transaction = start();
    const sent: number[] = [];
    let now = 0;
    for (; now < 60_000; now = transaction.nextAtMs) {
      const due = transaction.poll(now);
      if (due === 'send') sent.push(now);
      if (due === 'give-up') break;
    }
    expect(sent).toEqual(rfcSchedule().sendAtMs);
    expect(now).toBe(39_500);
  });
});

describe('an answer', () => {
  it('is the success or error of that id and method, from that server', () => {
    for (const answer of [message(), message({ class: 'error' })]) {
      const transaction = start();
      transaction.poll(0);
      expect(transaction.receive(answer, server)).toBe(true);
      expect(transaction.answer).toBe(answer);
      expect(transaction.poll(10_000)).toBeUndefined();
      expect(transaction.receive(answer, server)).toBe(false);
    }
  });

  it('is nothing else: all of these leave the transaction as it was', () => {
    const transaction = start();
    expect(transaction.receive(message(), server)).toBe(false); // nothing was asked yet
    transaction.poll(0);
    expect(transaction.receive(message({ transactionId: newTransactionId() }), server)).toBe(false);
    expect(transaction.receive(message({ method: 'Allocate' }), server)).toBe(false);
    expect(transaction.receive(message({ class: 'request' }), server)).toBe(false);
    expect(transaction.receive(message({ class: 'indication' }), server)).toBe(false);
    expect(transaction.receive(message(), { ...server, port: 3479 })).toBe(false);
    expect(transaction.receive(message(), { ...server, host: '192.0.2.2' })).toBe(false);
    expect(transaction.poll(500)).toBe('send');
    expect(transaction.receive(message(), server)).toBe(true);
  });

  it('must pass the further condition, if there is one', () => {
    const admit = (answer: typeof request) => answer.has('SOFTWARE');
    const transaction = new Transaction({
      request,
      schedule: rfcSchedule(),
      startMs: 0,
      answerFrom: [server],
      admit,
    });
    transaction.poll(0);
    expect(transaction.receive(message(), server)).toBe(false);
    expect(transaction.receive(message({ attributes: [['SOFTWARE', 'x']] }), server)).toBe(true);
  });

  it('measures the round trip only when it can only belong to one request', () => {
    const transaction = start();
    transaction.poll(0);
    expect(transaction.roundTripMs(80)).toBe(80);
    transaction.poll(500);
    expect(transaction.roundTripMs(580)).toBeUndefined();
  });
});
