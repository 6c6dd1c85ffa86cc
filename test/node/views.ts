// Signalling between the two sides of one attempt, without a server.
import { Attempt as Channel } from '../../src/signalling/attempt.js';
import type { PeerMessage } from '../../src/signalling/messages.js';

/** Two views of one attempt, each of which hears what the other says. */
export function channels(log: PeerMessage['type'][] = []) {
  const view = (side: 'initiator' | 'responder'): Channel =>
    new Channel({
      id: 'attempt',
      peer: { id: 'x', sealingKey: Buffer.alloc(32) } as never,
      side,
      async send(body) {
        log.push(body.type);
        const other = side === 'initiator' ? responder : initiator;
        setImmediate(() => other.receive({ body, seenFrom: undefined, via: {} as never }));
      },
      onDropped() {},
      onHandlerError() {},
      onDispose() {},
    });
  const initiator = view('initiator');
  const responder = view('responder');
  return { initiator, responder };
}
