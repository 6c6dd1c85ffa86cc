// One STUN message to the relay and its answer: who asks, whether it is understood, who handles it
// (RFC 8489 section 6.3, RFC 8656 section 5). Sockets are elsewhere.
import { DecodeError } from '../../src/errors.js';
import type { Endpoint } from '../../src/net/endpoint.js';
import { ATTRIBUTES, type Attribute, type AttributeName } from '../../src/stun/attributes.js';
import { encodeMessage, type Integrity, notUnderstood } from '../../src/stun/encode.js';
import { stunError } from '../../src/stun/error-codes.js';
import { decodeMessage, type StunMessage } from '../../src/stun/message.js';
import type { MethodName } from '../../src/stun/message-type.js';
import { SourceLimiter } from '../source-limiter.js';
import { allocate, refresh } from './allocate.js';
import { authenticate } from './authenticate.js';
import { type Caller, heldBy, type RelayCore, type Reply, type Session } from './core.js';
import { channelBind, createPermission, send } from './peers.js';
import { connect, connectionBind, ownerOf } from './streams.js';
import type { AwaitedBind } from './tcp-allocation.js';

/** Answers a Binding request; undefined where it deserves no answer. @throws DecodeError */
export type AnswerBinding = (
  message: StunMessage,
  from: Endpoint,
  transport: 'udp' | 'tcp',
) => Buffer | undefined;

// All that a request may carry and require to be understood; DONT-FRAGMENT is left out on purpose (420).
const UNDERSTOOD: ReadonlySet<number> = new Set(
  (
    [
      ...[
        'USERNAME',
        'MESSAGE-INTEGRITY',
        'MESSAGE-INTEGRITY-SHA256',
        'REALM',
        'NONCE',
        'PASSWORD-ALGORITHM',
      ],
      ...['CHANNEL-NUMBER', 'LIFETIME', 'XOR-PEER-ADDRESS', 'DATA', 'REQUESTED-ADDRESS-FAMILY', 'EVEN-PORT'],
      ...['REQUESTED-TRANSPORT', 'RESERVATION-TOKEN', 'CONNECTION-ID'],
    ] as AttributeName[]
  ).map(name => ATTRIBUTES[name].type),
);

const METHODS: ReadonlySet<MethodName | undefined> = new Set([
  ...(['Allocate', 'Refresh', 'CreatePermission', 'ChannelBind', 'Connect', 'ConnectionBind'] as const),
]);

export class TurnService {
  readonly core: RelayCore;
  readonly #answerBinding: AnswerBinding;
  readonly #challenges: SourceLimiter;

  constructor(core: RelayCore, answerBinding: AnswerBinding) {
    this.core = core;
    this.#answerBinding = answerBinding;
    this.#challenges = new SourceLimiter(core.limits.challenges, () => core.clock.now());
  }

  /**
   * Serves one message. What it returns is a connection to be attached to the session's own, raw from here on.
   * Whatever the bytes are, nothing is thrown.
   */
  receive(session: Session, bytes: Buffer): AwaitedBind | undefined {
    try {
      const message = decodeMessage(bytes, { classic: true });
      if (message.class === 'request') return this.#request(session, message);
      if (message.methodName === 'Send' && message.class === 'indication') this.#send(session, message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.core.counters.malformed++;
    }
    return undefined;
  }

  #send(session: Session, message: StunMessage): void {
    const strange = notUnderstood(message, type => UNDERSTOOD.has(type));
    if (strange.length === 0) send(this.core, session, message);
    else this.core.counters.dropped++;
  }

  #request(session: Session, message: StunMessage): AwaitedBind | undefined {
    const { core } = this;
    const { path } = session;
    if (message.methodName === 'Binding') {
      const from = path.transport === 'udp' ? 'udp' : 'tcp';
      if (from === 'udp' && !this.#challenges.admit(path.remote.host))
        return void core.counters.rateLimited++;
      const answer = this.#answerBinding(message, path.remote, from);
      if (answer) path.send(answer);
      return undefined;
    }
    if (!METHODS.has(message.methodName) || message.classic) return undefined;
    const known = heldBy(session)?.username ?? ownerOf(core, message);
    const who = authenticate(core, message, path.remote.host, known);
    if ('refuse' in who) {
      // To a stranger on UDP every answer is a favour that a forged source could turn against somebody.
      if (path.transport === 'udp' && !this.#challenges.admit(path.remote.host)) {
        core.counters.rateLimited++;
      } else this.#answer(session, message, { ...who, reason: '' }, who.integrity);
      return undefined;
    }
    return this.#authenticated(session, message, who.caller, who.integrity);
  }

  #authenticated(
    session: Session,
    message: StunMessage,
    caller: Caller,
    integrity: Integrity,
  ): AwaitedBind | undefined {
    const answer = (reply: Reply) => this.#answer(session, message, reply, integrity);
    const strange = notUnderstood(message, type => UNDERSTOOD.has(type));
    if (strange.length > 0) {
      answer({ refuse: 420, attributes: [['UNKNOWN-ATTRIBUTES', strange]] });
      return undefined;
    }
    const held = heldBy(session);
    if (held && held.username !== caller.username) {
      answer({ refuse: 441 });
      return undefined;
    }
    if (message.methodName === 'ConnectionBind') {
      const found = connectionBind(this.core, session, caller, message);
      if ('refuse' in found) {
        answer(found);
        return undefined;
      }
      answer({ ok: [] });
      return found;
    }
    const reply = this.#handle(session, message, caller);
    if (reply instanceof Promise) {
      reply.then(
        later => later && answer(later),
        () => answer({ refuse: 500 }),
      );
    } else answer(reply);
    return undefined;
  }

  #handle(session: Session, message: StunMessage, caller: Caller): Reply | Promise<Reply | undefined> {
    const { core } = this;
    switch (message.methodName) {
      case 'Allocate':
        return allocate(core, session, caller, message);
      case 'Refresh':
        return refresh(core, session, message);
      case 'CreatePermission':
        return createPermission(core, session, message);
      case 'ChannelBind':
        return channelBind(core, session, message);
      default:
        return connect(core, session, message);
    }
  }

  #answer(session: Session, message: StunMessage, reply: Reply, integrity: Integrity | undefined): void {
    const { counters } = this.core;
    const refused = 'refuse' in reply;
    if (refused) counters.refusals.set(reply.refuse, (counters.refusals.get(reply.refuse) ?? 0) + 1);
    const attributes: readonly Attribute[] = refused
      ? [['ERROR-CODE', stunError(reply.refuse, reply.reason)], ...(reply.attributes ?? [])]
      : reply.ok;
    session.path.send(
      encodeMessage({
        class: refused ? 'error' : 'success',
        method: message.method,
        transactionId: message.transactionId,
        attributes,
        integrity,
        fingerprint: message.has('FINGERPRINT'),
      }),
    );
  }
}
