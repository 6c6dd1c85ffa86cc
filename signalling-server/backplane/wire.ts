// What server processes say to each other through NATS: subjects and payloads, as pure functions. Everything is
// under `wayleave.1.`, replies too, so that a NATS user may be confined to `wayleave.1.>`. All payloads are ASCII.
//
//   wayleave.1.to.ID                 a delivery, finished for its recipient; its reply subject says who waits for
//                                    the outcome: wayleave.1.for.PROCESS.REF
//   wayleave.1.for.PROCESS.REF       nobody holds that id (NATS's own "no responders")
//   wayleave.1.for.PROCESS.outcomes  {"sent":[REF,…],"not-here":[…],"too-slow":[…],"unavailable":[…]}
//   wayleave.1.for.PROCESS.stamp     {"stamp":N}, the answer to claims that came with this as their reply subject
//   wayleave.1.claims                {"by":PROCESS,"claims":[[ID,STAMP,WAY],…]}: these seats are mine since then
import { z } from 'zod';
import { DecodeError } from '../../src/errors.js';
import type { NodeId } from '../../src/identity/node-id.js';
import { MAX_CLIENT_FRAME_BYTES } from '../../src/signalling/frames.js';
import type { Outcome } from './backplane.js';
import { MAX_STAMP } from './seat-stamps.js';

const ROOT = 'wayleave.1';
export const CLAIMS = `${ROOT}.claims`;
/** Claims in one message: even a NATS server that takes no more than one box a message takes these. */
export const MAX_CLAIMS = 200;
/** Outcomes in one message. */
export const MAX_OUTCOMES = 1024;
const MAX_PAYLOAD_BYTES = 32 * 1024;

const seatPattern = /^wayleave\.1\.to\.([a-z2-7]{52})$/;
const waitPattern = /^wayleave\.1\.for\.([A-Za-z0-9_-]{16})\.([0-9]{1,16}|outcomes|stamp)$/;
/** The frame `deliver` as the router writes it. No character that JSON would escape, so nothing to be parsed. */
const delivery =
  /^\{"type":"deliver","from":"[a-z2-7]{52}","seenFrom":"[!#-[\]-~]{2,45}","box":"[A-Za-z0-9+/]+={0,2}"\}$/;

const processName = z.string().regex(/^[A-Za-z0-9_-]{16}$/);
const way = z.string().regex(/^[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{8}$/);
const stamp = z.int().min(0).max(MAX_STAMP);
const refs = z.array(z.int().min(0)).max(MAX_OUTCOMES).optional();
const claimsSchema = z.object({
  by: processName,
  claims: z.array(z.tuple([z.string().regex(/^[a-z2-7]{52}$/), stamp, way])).max(MAX_CLAIMS),
});
const outcomesSchema = z.object({ sent: refs, 'not-here': refs, 'too-slow': refs, unavailable: refs });
const stampSchema = z.object({ stamp });

export type Claims = z.output<typeof claimsSchema>;
/** What a process waits for: the outcome of a delivery by its reference, outcomes in bulk, or stamps. */
type Awaited = number | 'outcomes' | 'stamp';
export const OUTCOMES = ['sent', 'not-here', 'too-slow', 'unavailable'] as const satisfies readonly Outcome[];
export type Outcomes = { readonly [Word in Outcome]?: readonly number[] | undefined };

export const seatSubject = (id: NodeId): string => `${ROOT}.to.${id}`;
/** Everything that one process waits for. */
export const waitsOf = (process: string): string => `${ROOT}.for.${process}.*`;
export const waits = (process: string, what: Awaited): string => `${ROOT}.for.${process}.${what}`;

/** Whose seat a delivery is for. @throws DecodeError */
export function readSeatSubject(subject: string): NodeId {
  return seatPattern.exec(subject)?.[1] ?? fail('subject', 'no seat');
}

/** Who waits, and for what. @throws DecodeError */
export function readWaits(subject = ''): { readonly process: string; readonly what: Awaited } {
  const [, process, what] = waitPattern.exec(subject) ?? fail('subject', 'nobody waits for it');
  return { process: process!, what: what === 'outcomes' || what === 'stamp' ? what : Number(what) };
}

/** The delivery, fit to be passed on as it is. @throws DecodeError */
export function readDelivery(payload: Uint8Array): string {
  const text = asciiOf(payload, MAX_CLIENT_FRAME_BYTES);
  return delivery.test(text) ? text : fail('delivery', 'malformed');
}

/** @throws DecodeError */
export const readClaims = (payload: Uint8Array): Claims => read('claims', claimsSchema, payload);
/** @throws DecodeError */
export const readOutcomes = (payload: Uint8Array): Outcomes => read('outcomes', outcomesSchema, payload);
/** @throws DecodeError */
export const readStamp = (payload: Uint8Array): number => read('stamp', stampSchema, payload).stamp;

function read<T>(place: string, schema: z.ZodType<T>, payload: Uint8Array): T {
  let value: unknown;
  try {
    value = JSON.parse(asciiOf(payload, MAX_PAYLOAD_BYTES));
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    fail(place, 'not JSON');
  }
  const result = schema.safeParse(value);
  return result.success ? result.data : fail(place, result.error.issues[0]?.message ?? 'invalid');
}

function asciiOf(payload: Uint8Array, mostBytes: number): string {
  if (payload.length > mostBytes) fail('payload', `${payload.length} bytes, the limit is ${mostBytes}`);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1');
}

function fail(place: string, message: string): never {
  throw new DecodeError(place, message);
}
