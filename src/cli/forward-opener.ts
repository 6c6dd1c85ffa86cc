// The first message of a pipe that forwards a TCP port, and its answer: by them a node that also serves other
// pipes tells this one from the rest. Everything after is frames of the mux (port-mux-frames.ts).
import { z } from 'zod';
import { WayleaveError } from '../errors.js';

/** The version stands here: an end that does not know it takes the pipe for an ordinary one. */
const PREFIX = 'wayleave-forward/1 ';

const openerSchema = z.object({ target: z.string().max(300) });
const answerSchema = z.object({ allowed: z.boolean(), message: z.string().max(1024).optional() });

/** What the far end says to an opener; the message is for people. */
export type ForwardAnswer = z.infer<typeof answerSchema>;

/** Asks to be forwarded to a target, in the spelling of `ForwardTarget.text`. */
export function encodeOpener(target: string): string {
  return `${PREFIX}${JSON.stringify({ target })}`;
}

export function isOpener(message: Buffer): boolean {
  return message.length < 1024 && message.toString('latin1', 0, PREFIX.length) === PREFIX;
}

/** The target asked for; @throws WayleaveError `protocol-error`. */
export function decodeOpener(message: Buffer): string {
  return read(openerSchema, message).target;
}

export function encodeAnswer(answer: ForwardAnswer): string {
  return `${PREFIX}${JSON.stringify(answer)}`;
}

/** @throws WayleaveError `protocol-error`. */
export function decodeAnswer(message: Buffer): ForwardAnswer {
  return read(answerSchema, message);
}

function read<T extends z.ZodType>(schema: T, message: Buffer): z.output<T> {
  try {
    if (message.toString('latin1', 0, PREFIX.length) !== PREFIX) throw new Error('another prefix');
    return schema.parse(JSON.parse(message.toString('utf8', PREFIX.length)));
  } catch (cause) {
    throw new WayleaveError('protocol-error', 'the other node does not speak `wayleave forward`', { cause });
  }
}
