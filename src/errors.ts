// Floor 0: every error that this package throws on purpose. One class each, one code each from the closed
// list below; docs/errors.md is generated from this table.

/** What each code means and what the user can do about it. The keys are the closed list of error codes. */
export const ERRORS = {
  'bad-option': {
    meaning: 'An option or argument is missing, unknown or out of range.',
    remedy: 'The message names the option and its range; docs/options.md lists them all.',
  },
  'bad-address': {
    meaning: 'The text or bytes are not a valid, signed node address; `field` names the place.',
    remedy: 'Copy the address again, whole, from what the other node printed.',
  },
  'address-expired': {
    meaning: 'The address was valid once, but its expiry time (with 15 minutes of tolerance) has passed.',
    remedy: 'Ask the other node for its present address, and check both clocks.',
  },
  'bad-key-file': {
    meaning: 'The identity key file cannot be read, is not an Ed25519 key, or others may read it.',
    remedy: 'Name another file, or remove it and let one be created (mode 0600): that makes a new node id.',
  },
  'connect-failed': {
    meaning: 'No strategy brought up a connection; `attempts` holds each strategy with its reason.',
    remedy: '`wayleave explain ADDRESS` says what stands between the two nodes.',
  },
  'connect-timeout': {
    meaning: 'The time given to connect ran out before a strategy won.',
    remedy: 'Allow more time (`timeoutMs`, `--timeout`) or look at the reasons in `attempts`.',
  },
  aborted: {
    meaning: 'The caller aborted the operation through its signal, or closed its owner.',
    remedy: 'Nothing to do: this is the answer to your own abort.',
  },
  timeout: {
    meaning: 'A waiting call (`recv`, `ready`, a request) reached its own time limit.',
    remedy: 'Call again, or allow more time.',
  },
  closed: {
    meaning: 'The pipe, node, channel or server is closed; nothing can be sent or received any more.',
    remedy: 'Connect again; `pipe.closed` says why it ended.',
  },
  refused: {
    meaning: 'The other node does not admit this node id (its `accept` option or `--allow` list).',
    remedy: 'Ask its owner to admit your node id.',
  },
  'forward-refused': {
    meaning: 'The other node does not forward to that host and port.',
    remedy: 'Ask its owner to run it with `wayleave node --allow-forward HOST:PORT`, spelled the same.',
  },
  'wrong-identity': {
    meaning: 'What answered proved another identity than the address promises.',
    remedy: 'The address is stale, or something sits between you: ask for a fresh address.',
  },
  'handshake-failed': {
    meaning: 'The encrypted handshake did not complete: the other side speaks something else or broke off.',
    remedy: 'Check that both sides run wayleave on that port, of the same major version.',
  },
  'handshake-timeout': {
    meaning: 'The other side accepted the connection and then stalled in the handshake.',
    remedy: 'Try again; if it stays, the host is overloaded or the port belongs to something else.',
  },
  'protocol-error': {
    meaning: 'The other side sent something that the protocol does not allow; the connection was closed.',
    remedy: 'Update the older of the two sides; if both are current, report it.',
  },
  'message-too-large': {
    meaning: 'A message is larger than 16 MiB (pipe) or 16 KiB (signalling).',
    remedy: 'Send it in parts, or as a stream (`pipe.toDuplex()`).',
  },
  'connection-lost': {
    meaning: 'The connection ended without a goodbye, or nothing was heard for the liveness limit.',
    remedy: 'Connect again: the path or the other process is gone.',
  },
  'dial-failed': {
    meaning: 'One TCP connection could not be made; the cause holds the system error.',
    remedy: 'Check that the other side listens and that no firewall stands between.',
  },
  'listen-failed': {
    meaning: 'A local port could not be opened for listening.',
    remedy: 'Choose another port, or port 0 for any free one.',
  },
  'dial-refused': {
    meaning: 'The dial policy forbids contacting that endpoint on that word (see SECURITY.md).',
    remedy: 'Nothing, if the endpoint came from a stranger; otherwise let both nodes share a network.',
  },
  'server-unreachable': {
    meaning: 'No signalling server could be reached or registered with.',
    remedy:
      'Check the URL and that what it names runs: a `wayleave server` (its /healthz should say ok), or your broker.',
  },
  'server-refused': {
    meaning: 'The signalling server turned the request down: admission, limits or a protocol fault.',
    remedy: 'The message carries the server’s reason; ask its administrator about its limits.',
  },
  'peer-not-registered': {
    meaning: 'The signalling server does not know the other node at this moment.',
    remedy: 'Start the other node, or check that both name the same server.',
  },
  'rate-limited': {
    meaning: 'More requests than the limit allows.',
    remedy: 'Wait a little; the limit is in docs/options.md.',
  },
  'bad-message': {
    meaning: 'A signalling, STUN, TURN or gateway message could not be decoded; `place` names where.',
    remedy: 'The other party is not what it should be, or the network alters packets.',
  },
  'no-answer': {
    meaning: 'A server or gateway did not answer in time.',
    remedy: 'Check its address, and that the network lets this kind of traffic out.',
  },
  'request-failed': {
    meaning: 'A server or gateway answered with an error; the message has its number and words.',
    remedy: 'Look the number up in the message; credentials and quotas are the usual causes.',
  },
  'missing-package': {
    meaning: 'An optional package is needed for what was asked.',
    remedy: 'Install the package that the message names.',
  },
} as const satisfies Record<string, { meaning: string; remedy: string }>;

/** One of the closed list of error codes. */
export type ErrorCode = keyof typeof ERRORS;

/** The base of every error thrown on purpose: `code` is stable, `message` is for people. */
export class WayleaveError extends Error {
  override readonly name: string = 'WayleaveError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** What the user can do about it, in one sentence. */
  get remedy(): string {
    return ERRORS[this.code].remedy;
  }
}

/** An address that does not decode or verify; `field` names the place that is wrong. */
export class AddressError extends WayleaveError {
  override readonly name = 'AddressError';
  readonly field: string;

  constructor(field: string, message: string, code: 'bad-address' | 'address-expired' = 'bad-address') {
    super(code, `${field}: ${message}`);
    this.field = field;
  }
}

/** Bytes from the wire that do not decode; `place` names where, like `attribute/family`. */
export class DecodeError extends WayleaveError {
  override readonly name = 'DecodeError';
  readonly place: string;

  constructor(place: string, message: string) {
    super('bad-message', `${place}: ${message}`);
    this.place = place;
  }
}

/** How one strategy of a `connect` ended, in the order tried. */
export interface AttemptOutcome {
  strategy: 'direct' | 'reverse' | 'punch' | 'relay';
  outcome: 'won' | 'failed' | 'skipped' | 'cancelled';
  /** A code of the closed list in docs/reasons.md. */
  reason: string;
  /** From this strategy's start to its end, in milliseconds; 0 when skipped. */
  ms: number;
  /** What exactly happened, for people. */
  detail?: string;
}

/** No strategy won; `attempts` says for each why not. */
export class ConnectError extends WayleaveError {
  override readonly name = 'ConnectError';
  readonly attempts: readonly AttemptOutcome[];

  constructor(
    code: ErrorCode,
    message: string,
    attempts: readonly AttemptOutcome[],
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
    this.attempts = attempts;
  }
}

/** The error that answers an abort: the signal's own reason when it is ours, `aborted` otherwise. */
export function abortError(signal: AbortSignal): WayleaveError {
  if (signal.reason instanceof WayleaveError) return signal.reason;
  return new WayleaveError('aborted', 'aborted by the caller', { cause: signal.reason });
}
