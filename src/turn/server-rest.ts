// Servers that are full are left alone: after 486 and 508 a client waits at least a minute before it asks the
// same server for the same user again (RFC 8656 section 7.4). One such memory lives as long as the node.
import { formatEndpoint } from '../net/endpoint.js';
import { TurnError } from './turn-error.js';
import type { TurnServer } from './turn-server.js';

const REST_MS = 60_000;

export class ServerRest {
  readonly #untilMs = new Map<string, { readonly untilMs: number; readonly error: TurnError }>();

  /** Why this server is not to be asked now, or undefined. */
  reasonToWait(server: TurnServer, nowMs: number): TurnError | undefined {
    const key = keyOf(server);
    const rest = this.#untilMs.get(key);
    if (!rest) return undefined;
    if (nowMs < rest.untilMs) return rest.error;
    this.#untilMs.delete(key);
    return undefined;
  }

  /** Takes note of how an allocation failed. */
  note(server: TurnServer, error: unknown, nowMs: number): void {
    if (!(error instanceof TurnError) || error.remedyKind !== 'later') return;
    this.#untilMs.set(keyOf(server), { untilMs: nowMs + REST_MS, error });
  }
}

// Without the expiry in front of the user's id: a fresh credential is the same user.
function keyOf({ endpoint, username }: TurnServer): string {
  return `${formatEndpoint(endpoint)} ${username.replace(/^[0-9]+:/, '')}`;
}
