// What a TURN server's refusal means for the client, as one table: every error number of RFC 8656 section 19
// and RFC 6062 section 6.3, with what the RFC tells a client to do next.
import { WayleaveError } from '../errors.js';
import { ERROR_CODES } from '../stun/error-codes.js';
import type { MethodName } from '../stun/message-type.js';

/**
 * What may help after a refusal:
 * - `nothing`: asking again would bring the same answer
 * - `another-server`: this server will not serve; one of the others that the user listed may
 * - `another-port`: the server holds an allocation for this 5-tuple, so ask from a fresh local port
 * - `another-transport`: the server relays UDP or TCP, but not what was asked for
 * - `another-family`: the server relays the other address family
 * - `later`: the server is full, wait a minute before asking it again (RFC 8656 section 7.4)
 * - `credentials`: get fresh credentials
 */
export type Remedy =
  | 'nothing'
  | 'another-server'
  | 'another-port'
  | 'another-transport'
  | 'another-family'
  | 'later'
  | 'credentials';

const REMEDIES = new Map<number, Remedy>([
  [300, 'another-server'],
  [400, 'nothing'],
  [401, 'credentials'],
  [403, 'nothing'],
  [420, 'nothing'],
  [437, 'another-port'],
  [438, 'credentials'], // only after several fresh nonces were refused in a row
  [440, 'another-family'],
  [441, 'credentials'],
  [442, 'another-transport'],
  [443, 'nothing'],
  [446, 'nothing'],
  [447, 'nothing'],
  [486, 'later'],
  [500, 'another-server'],
  [508, 'later'],
]);

/** A TURN server refused a request. `code` is `request-failed`. */
export class TurnError extends WayleaveError {
  override readonly name = 'TurnError';
  /** The number of the ERROR-CODE attribute, 300 to 699. */
  readonly number: number;
  readonly method: MethodName;
  readonly remedyKind: Remedy;
  /**
   * Where a 300 points. Reported only: nothing is sent there unless the user lists that server, for a
   * listed server must not be able to aim its clients at anybody.
   */
  readonly alternate: string | undefined;

  constructor(method: MethodName, number: number, reason: string, alternate?: string) {
    const words = printable(reason) || (ERROR_CODES as Record<number, string>)[number] || 'no reason given';
    const towards =
      alternate === undefined ? '' : `; it names ${alternate}, which is not asked unless listed`;
    super('request-failed', `the TURN server refused ${method}: ${number} ${words}${towards}`);
    this.number = number;
    this.method = method;
    this.alternate = alternate;
    // Numbers of no table count by their class: 3xx elsewhere, 4xx pointless, 5xx this server's trouble.
    this.remedyKind = REMEDIES.get(number) ?? (number < 400 || number >= 500 ? 'another-server' : 'nothing');
  }
}

// The reason is a stranger's text on its way to a terminal.
function printable(reason: string): string {
  return reason.replace(/\p{C}/gu, '').slice(0, 128).trim();
}
