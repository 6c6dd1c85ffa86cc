// The numbers that an ERROR-CODE attribute may carry, with IANA's words for them (RFC 8489 section 14.8,
// RFC 8656 section 19, RFC 6062 section 6.3). Mobility (RFC 8016) and ICE's 487 are left out: nobody here speaks them.

export const ERROR_CODES = {
  300: 'Try Alternate',
  400: 'Bad Request',
  401: 'Unauthenticated',
  403: 'Forbidden',
  420: 'Unknown Attribute',
  437: 'Allocation Mismatch',
  438: 'Stale Nonce',
  440: 'Address Family not Supported',
  441: 'Wrong Credentials',
  442: 'Unsupported Transport Protocol',
  443: 'Peer Address Family Mismatch',
  446: 'Connection Already Exists',
  447: 'Connection Timeout or Failure',
  486: 'Allocation Quota Reached',
  500: 'Server Error',
  508: 'Insufficient Capacity',
} as const;

export type StunErrorNumber = keyof typeof ERROR_CODES;

/** The value of an ERROR-CODE attribute for a number of the table, in IANA's words unless others are given. */
export function stunError(
  code: StunErrorNumber,
  reason: string = ERROR_CODES[code],
): { code: number; reason: string } {
  return { code, reason };
}
