// Who has which address in a world. Link n of the WAN owns 198.18.n.0/24 (RFC 2544: nobody lives there) and
// 2001:db8:n::/48; foreign software that shuns such ranges gets ordinary ones, inside the world only.

/** Where a site's global IPv4 addresses come from. */
export type AddressSpace = 'benchmark' | 'ordinary';

const PREFIX: Readonly<Record<AddressSpace, string>> = { benchmark: '198.18', ordinary: '44.128' };

export interface Link {
  /** 1 to 254, also the VXLAN network identifier. */
  readonly number: number;
  /** First three bytes with their dots, like `198.18.3`. */
  readonly prefix4: string;
  /** First three groups, like `2001:db8:3`. */
  readonly prefix6: string;
}

export function link(number: number, space: AddressSpace): Link {
  if (number < 1 || number > 254) throw new RangeError('a world has at most 254 links to the WAN');
  return { number, prefix4: `${PREFIX[space]}.${number}`, prefix6: `2001:db8:${number.toString(16)}` };
}

/** The last byte of a LAN's gateway for hosts with private addresses, and of the first host. */
export const GATEWAY_BYTE = 1;
export const FIRST_HOST_BYTE = 10;
/** On a LAN with global addresses .1 is the gateway's outer address, so its inner one is this. */
export const ROUTED_GATEWAY_BYTE = 254;
