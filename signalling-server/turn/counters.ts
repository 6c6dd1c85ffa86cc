// What the relay counts. All numbers only grow, except those that say "now".

export interface RelayCounters {
  allocationsNow: number;
  allocations: number;
  connectionsNow: number;
  /** Relayed TCP connections that reached both ends. */
  streams: number;
  /** Requests answered with an error, by its number. */
  readonly refusals: Map<number, number>;
  datagramsToPeers: number;
  datagramsToClients: number;
  bytesToPeers: number;
  bytesToClients: number;
  /** Datagrams dropped: no permission, no channel, too large, client too slow, or over the bandwidth cap. */
  dropped: number;
  malformed: number;
  rateLimited: number;
}

export function newCounters(): RelayCounters {
  return {
    allocationsNow: 0,
    allocations: 0,
    connectionsNow: 0,
    streams: 0,
    refusals: new Map(),
    datagramsToPeers: 0,
    datagramsToClients: 0,
    bytesToPeers: 0,
    bytesToClients: 0,
    dropped: 0,
    malformed: 0,
    rateLimited: 0,
  };
}
