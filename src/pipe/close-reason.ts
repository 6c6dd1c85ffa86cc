// Why a pipe ended: the value of `pipe.closed`, and its form in a close frame.
import { z } from 'zod';
import { WayleaveError } from '../errors.js';

const CLOSE_CODES = [
  'closed', // an orderly goodbye
  'aborted', // given up halfway: what was sent before it may be incomplete
  'refused', // the peer does not admit this node
  'connection-lost', // no goodbye: the path or the process is gone
  'protocol-error',
  'message-too-large',
] as const;
export type CloseCode = (typeof CLOSE_CODES)[number];

export interface CloseReason {
  readonly code: CloseCode;
  /** Who ended it: this side, the other side, or neither. */
  readonly by: 'local' | 'peer' | 'network';
  /** For people; empty when nobody gave one. */
  readonly message: string;
}

/** 1,024 characters: room for a sentence or two within a control frame, whatever the language. */
const MAX_MESSAGE_CHARACTERS = 1024;

const schema = z.object({
  code: z.enum(CLOSE_CODES).catch('aborted'), // a later version's code: surely not an orderly end
  message: z.string().catch(''),
});

/** What a close frame says. */
export function closeContent(code: CloseCode, message: string): { code: CloseCode; message: string } {
  return { code, message: message.slice(0, MAX_MESSAGE_CHARACTERS) };
}

/** The reason in a peer's close frame; one that cannot be read is a protocol error. */
export function parseClose(payload: Buffer): CloseReason {
  try {
    const { code, message } = schema.parse(JSON.parse(payload.toString()));
    return { code, by: 'peer', message: message.slice(0, MAX_MESSAGE_CHARACTERS) };
  } catch {
    return { code: 'protocol-error', by: 'peer', message: 'unreadable close frame' };
  }
}

/** What broke a connection, in few words: the system's code, or a sentence of our own. */
export function causeOf(error: NodeJS.ErrnoException): string {
  return error instanceof WayleaveError ? error.message : (error.code ?? error.message);
}

/**
 * The reason, or the fault of what carried the pipe if that was behind it. A relay that goes takes its streams along:
 * which of the two ends is heard of first says little.
 */
export async function explained(
  reason: CloseReason,
  fault: Promise<WayleaveError | undefined> | undefined,
): Promise<CloseReason> {
  const cause = reason.by === 'network' ? await fault : undefined;
  return cause ? { ...reason, message: cause.message } : reason;
}

/** The error that calls on a pipe meet once it has ended. */
export function closeError({ code, by, message }: CloseReason): WayleaveError {
  const who = { local: 'this side', peer: 'the peer', network: 'the network' }[by];
  const what = code === 'connection-lost' ? 'the connection was lost' : `the pipe was closed by ${who}`;
  return new WayleaveError(code, message === '' ? what : `${what}: ${message}`);
}
