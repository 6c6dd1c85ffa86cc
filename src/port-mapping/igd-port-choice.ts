// What to ask a UPnP gateway next when it said no to a mapping. Pure: the last try and the error number in,
// the next try out, or nothing when asking again is no use.

/** One AddPortMapping to be tried. */
export interface IgdTry {
  readonly externalPort: number;
  /** 0: permanent. */
  readonly leaseSeconds: number;
}

/** Ports taken by somebody else are passed over at random this often. */
export const MAX_IGD_TRIES = 8;

const FIRST_DYNAMIC_PORT = 49152;
const DYNAMIC_PORTS = 65536 - FIRST_DYNAMIC_PORT;

/** @param random in [0, 1) */
export function anotherPort(random: number): number {
  return FIRST_DYNAMIC_PORT + Math.floor(random * DYNAMIC_PORTS);
}

/**
 * Error numbers of WANIPConnection:1 section 2.4.16 and WANIPConnection:2 section 2.5.16.
 * @param random in [0, 1), for the choice of another port
 */
export function nextIgdTry(
  last: IgdTry,
  errorNumber: number,
  internalPort: number,
  random: number,
): IgdTry | undefined {
  switch (errorNumber) {
    case 718: // taken by another host
    case 729: // taken by another mechanism
      return { ...last, externalPort: anotherPort(random) };
    case 724: // only the same port inside and outside
      return last.externalPort === internalPort ? undefined : { ...last, externalPort: internalPort };
    case 725: // only permanent leases
    case 402: // the same, as some gateways say it
      return last.leaseSeconds === 0 ? undefined : { ...last, leaseSeconds: 0 };
    default:
      return undefined;
  }
}
