// What one node says to another through signalling: one row a message, shared by both ends, always sealed
// (envelope.ts). To add a message is to add a row. A type that this version does not know is ignored.
import { z } from 'zod';
import { DecodeError } from '../errors.js';
import { behaviourSchema } from '../nat/profile.js';
import { canonicalIp } from '../net/ip-scope.js';

/** Canonical IP literal and port: never a name, one spelling only. */
const endpoint = z.object({
  host: z.string().refine(text => canonicalIp(text) === text, 'not a canonical IP address'),
  port: z.number().int().min(1).max(65535),
});
const reason = z.string().min(1).max(200);

/** What a peer must know of one place in order to punch to it: see strategies/punch-plan.ts. */
const punchPlace = z.object({
  mapped: endpoint,
  tcp: behaviourSchema.pick({
    kind: true,
    mapping: true,
    filtering: true,
    ports: true,
    unsolicitedSyn: true,
  }),
  recentPorts: z.array(z.number().int().min(1).max(65_535)).max(8),
});

/** A message that may begin an attempt at its receiver. All others are dropped unless the attempt is known. */
const opens = <Shape extends z.ZodRawShape>(shape: Shape) => ({ opens: true, schema: z.object(shape) });
const follows = <Shape extends z.ZodRawShape>(shape: Shape) => ({ opens: false, schema: z.object(shape) });

export const MESSAGES = {
  /** Please dial me: my address (signed, text form) and where I can be reached, best first. */
  'reverse-request': opens({
    address: z.string().min(1).max(4096),
    endpoints: z.array(endpoint).min(1).max(8),
  }),
  /** Let us punch: my places, one for each address family at the most, and how far the server is from me. */
  'punch-offer': opens({
    address: z.string().min(1).max(4096),
    round: z.number().int().min(1).max(5),
    places: z.array(punchPlace).min(1).max(4),
    roundTripMs: z.number().min(0).max(60_000),
  }),
  /** My place for the same pair, which the offer's `place` index names; I dial `startInMs` after sending this. */
  'punch-answer': follows({
    round: z.number().int().min(1).max(5),
    place: z.number().int().min(0).max(3),
    answer: punchPlace,
    startInMs: z.number().min(0).max(60_000),
  }),
  /** Let us meet at a relay: I am about to be at one of these servers, and best you were at the same. */
  'relay-offer': opens({
    address: z.string().min(1).max(4096),
    servers: z.array(endpoint).min(1).max(8),
  }),
  /**
   * Where I am relayed, and what my allocation carries (RFC 6062: `tcp`). Whoever is relayed at the same address is
   * admitted there, or soon will be; who is not waits until this comes a second time.
   */
  'relay-address': follows({ relayed: endpoint, transport: z.enum(['tcp', 'udp']) }),
  /** Where I am relayed, and come to you from. */
  'relay-answer': follows({ relayed: endpoint }),
  /** What you asked for, by a message of that type, will not be done. */
  refused: follows({ of: z.string().min(1).max(64), reason }),
  /** I have given up, or another way won: stop. */
  cancel: follows({}),
  /** My part is done. */
  done: follows({}),
};

export type MessageType = keyof typeof MESSAGES;
type Fields<Type extends MessageType> = z.output<(typeof MESSAGES)[Type]['schema']>;
type Bodies = {
  // zod infers an empty object as one that allows no key, `type` included
  [Type in MessageType]: Fields<Type> extends Record<string, never>
    ? { type: Type }
    : { type: Type } & Fields<Type>;
};
/** What one node says to another: one message type, or any. */
export type PeerMessage<Type extends MessageType = MessageType> = Bodies[Type];

/** Which end of an attempt speaks: a node may talk to itself, and both ends then share id and key. */
export type Side = 'initiator' | 'responder';

/** One message with what must be known to place it. */
export interface Message {
  /** 1 to 64 characters of base64url, chosen by the initiator. */
  readonly attempt: string;
  readonly side: Side;
  readonly body: PeerMessage;
}

/** What is sealed: the message, and what makes it answerable and usable only once. */
const payloadSchema = z.object({
  v: z.literal(1),
  /** Random, 16 bytes in base64url. */
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  /** The sender's wall clock, milliseconds since 1970. */
  sentAt: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** The sender's X25519 public key: answers are sealed to it. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  attempt: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  side: z.enum(['initiator', 'responder']),
  body: z.looseObject({ type: z.string().min(1).max(64) }),
});
export type Payload = z.output<typeof payloadSchema>;

/** The payload with its body still unread. @throws DecodeError */
export function readPayload(bytes: Uint8Array): Payload {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new DecodeError('message', 'not JSON');
  }
  const result = payloadSchema.safeParse(value);
  if (result.success) return result.data;
  throw decodeError('message', result.error);
}

/** The body, or undefined for a type that this version does not know. @throws DecodeError */
export function readBody(body: Payload['body']): PeerMessage | undefined {
  if (!Object.hasOwn(MESSAGES, body.type)) return undefined;
  const result = MESSAGES[body.type as MessageType].schema.safeParse(body);
  if (result.success) return { type: body.type, ...result.data } as PeerMessage;
  throw decodeError(`message/${body.type}`, result.error);
}

function decodeError(place: string, error: z.ZodError): DecodeError {
  const issue = error.issues[0];
  return new DecodeError([place, ...(issue?.path ?? [])].join('/'), issue?.message ?? 'invalid');
}
