// What a client and its signalling server say to each other: JSON text frames over WebSocket, one row a frame,
// shared by both. What one node says to another is in messages.ts and is sealed: here it is only `box`.
// Fields that a later version adds are ignored; frame types that it adds are reported and otherwise ignored.
import { z } from 'zod';
import { DecodeError } from '../errors.js';

export const PROTOCOL_VERSION = 1;

/** A sealed box, before base64. */
export const MAX_BOX_BYTES = 16 * 1024;
const MAX_BOX_CHARACTERS = Math.ceil(MAX_BOX_BYTES / 3) * 4;
/** Largest frame that a server reads: a full box in base64 and what surrounds it. */
export const MAX_CLIENT_FRAME_BYTES = 24 * 1024;
/** Largest frame that a client reads: a delivery, or a greeting with every list at its limit. */
export const MAX_SERVER_FRAME_BYTES = 64 * 1024;

/** WebSocket close codes (RFC 6455, 7.4.2: 4000 to 4999 are for applications) and what each says. */
export const CLOSE_CODES = {
  takenOver: 4001,
  protocolError: 4002,
  notAdmitted: 4003,
  tooSlow: 4004,
  flooding: 4005,
  silent: 4006,
} as const;

const NODE_ID = /^[a-z2-7]{52}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

const nodeId = z.string().regex(NODE_ID);
const ref = z.number().int().min(0).max(0xffff_ffff);
const refs = z.array(ref).min(1).max(4096);
const box = z
  .string()
  .max(MAX_BOX_CHARACTERS)
  .regex(BASE64)
  .refine(text => text.length % 4 === 0, 'not base64');
const ip = z.string().min(2).max(45);
const port = z.number().int().min(0).max(65535);
const url = z.string().min(1).max(300);
const word = z.string().min(1).max(200);
/** 32 bytes in base64url. */
const nonce = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** 64 bytes in base64url: an Ed25519 signature. */
const signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/);
const host = z.string().min(1).max(261);
/** 12 bytes in base64url. */
const instance = z.string().regex(/^[A-Za-z0-9_-]{16}$/);

const turnGrant = z.object({
  urls: z.array(url).min(1).max(8),
  username: z.string().min(1).max(512),
  credential: z.string().min(1).max(512),
  /** Wall clock, milliseconds since 1970; absent: the credentials do not expire. */
  expiresAt: z.number().nonnegative().optional(),
  /** What the relay would challenge the first request with (RFC 8489 section 9.2); it offers SHA-256 and MD5. */
  challenge: z.object({ realm: z.string().min(1).max(127), nonce: z.string().min(1).max(127) }).optional(),
});

/** From the server to a client. */
const SERVER_FRAMES = {
  /** First on every connection. The client signs the nonce together with the host that it dialled. */
  challenge: z.object({ nonce, protocol: z.literal(PROTOCOL_VERSION) }),
  /** Many register at this moment: the welcome comes in about `ms` milliseconds. */
  wait: z.object({ ms: z.number().min(0).max(600_000) }),
  /** Registered; sent again whenever the STUN and TURN endpoints or credentials change. */
  welcome: z.object({
    id: nodeId,
    seenAs: z.object({ host: ip, port }),
    stun: z.array(url).max(16),
    turn: z.array(turnGrant).max(16),
    limits: z.object({ boxBytes: z.number(), messagesPerSecond: z.number(), burst: z.number() }),
  }),
  /** These were handed to the recipient's connection. */
  sent: z.object({ refs }),
  /** These were not: `not-here`, `too-slow`, `rate-limited` or `unavailable`. */
  undelivered: z.object({ refs, reason: word }),
  /** `from` is who registered on the sending connection, `seenFrom` the IP address it connected from. */
  deliver: z.object({ from: nodeId, seenFrom: ip, box }),
  /** The server is about to close; come back later, or use another server. */
  goodbye: z.object({ reason: word }),
} as const;

/** From a client to the server. */
export const CLIENT_FRAMES = {
  /**
   * `instance`: what a node calls itself while it runs, so that its further ways to one service do not displace
   * each other. `signature`: purpose `register/1`, over the 32 bytes of the nonce and `host` as UTF-8.
   */
  register: z.object({ id: nodeId, host, signature, instance: instance.optional() }),
  send: z.object({ ref, to: nodeId, box }),
} as const;

type Frames<Table extends Record<string, z.ZodType>> = {
  [Type in keyof Table & string]: { type: Type } & z.output<Table[Type]>;
};
type ServerFrames = Frames<typeof SERVER_FRAMES>;
export type ServerFrame = ServerFrames[keyof ServerFrames];
export type ClientFrames = Frames<typeof CLIENT_FRAMES>;
export type ClientFrame = ClientFrames[keyof ClientFrames];
/** What a server tells a client that has registered. */
export type Greeting = ServerFrames['welcome'];
export type TurnGrant = z.output<typeof turnGrant>;

/**
 * A frame from the server, or undefined for a type that this version does not know.
 * @throws DecodeError for anything malformed.
 */
export function readServerFrame(text: string): ServerFrame | undefined {
  return checkFrame(SERVER_FRAMES, parseFrame(text)) as ServerFrame | undefined;
}

/** A frame's JSON, known to be an object with a type. @throws DecodeError */
export function parseFrame(text: string): { readonly type: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DecodeError('frame', 'not JSON');
  }
  if (typeof value !== 'object' || value === null || typeof (value as { type?: unknown }).type !== 'string') {
    throw new DecodeError('frame/type', 'missing');
  }
  return value as { type: string };
}

/** Checks a parsed frame against its row; undefined for a type without a row. @throws DecodeError */
export function checkFrame(
  table: Readonly<Record<string, z.ZodType>>,
  value: { readonly type: string },
): { readonly type: string } | undefined {
  if (!Object.hasOwn(table, value.type)) return undefined;
  const result = table[value.type]!.safeParse(value);
  if (result.success) return { type: value.type, ...(result.data as object) };
  const issue = result.error.issues[0];
  throw new DecodeError(['frame', value.type, ...(issue?.path ?? [])].join('/'), issue?.message ?? 'invalid');
}

/**
 * The row of `send` by hand: the server reads nothing else as often, and this is a third of the time. A property
 * test holds it to the row. Undefined: not a valid `send`.
 */
export function readSend(value: { readonly type: string }): ClientFrames['send'] | undefined {
  const { type, ref, to, box } = value as Partial<ClientFrames['send']>;
  if (type !== 'send') return undefined;
  if (typeof ref !== 'number' || !Number.isInteger(ref) || ref < 0 || ref > 0xffff_ffff) return undefined;
  if (typeof to !== 'string' || !NODE_ID.test(to)) return undefined;
  if (typeof box !== 'string' || box.length > MAX_BOX_CHARACTERS || box.length % 4 !== 0) return undefined;
  return BASE64.test(box) ? { type, ref, to, box } : undefined;
}

/** What a client signs to register, purpose `register/1`. */
export function registrationProof(nonceText: string, dialledHost: string): Buffer {
  return Buffer.concat([Buffer.from(nonceText, 'base64url'), Buffer.from(dialledHost, 'utf8')]);
}
