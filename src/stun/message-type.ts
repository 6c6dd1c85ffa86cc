// The first two bytes of a STUN message: a method (what is asked) and a class (who speaks), woven into
// 14 bits (RFC 8489 section 5). Methods of STUN (RFC 8489), TURN (RFC 8656) and TURN over TCP (RFC 6062).

/** Every method that this package speaks, with IANA's number. */
export const METHODS = {
  Binding: 0x001,
  Allocate: 0x003,
  Refresh: 0x004,
  Send: 0x006,
  Data: 0x007,
  CreatePermission: 0x008,
  ChannelBind: 0x009,
  Connect: 0x00a,
  ConnectionBind: 0x00b,
  ConnectionAttempt: 0x00c,
} as const;

export type MethodName = keyof typeof METHODS;

export type MessageClass = 'request' | 'indication' | 'success' | 'error';

const CLASSES: readonly MessageClass[] = ['request', 'indication', 'success', 'error'];

const NAMES = new Map<number, MethodName>(
  (Object.keys(METHODS) as MethodName[]).map(name => [METHODS[name], name]),
);

/** The method's name, or undefined for a number that this package does not speak. */
export function methodName(method: number): MethodName | undefined {
  return NAMES.get(method);
}

// Bits M11..M7 C1 M6..M4 C0 M3..M0, most significant first.
export function packType(method: number, messageClass: MessageClass): number {
  const c = CLASSES.indexOf(messageClass);
  return (
    (method & 0x00f) | ((c & 1) << 4) | ((method & 0x070) << 1) | ((c & 2) << 7) | ((method & 0xf80) << 2)
  );
}

export function methodOf(type: number): number {
  return (type & 0x00f) | ((type & 0x0e0) >> 1) | ((type & 0x3e00) >> 2);
}

export function classOf(type: number): MessageClass {
  return CLASSES[((type >> 4) & 1) | ((type >> 7) & 2)]!;
}
