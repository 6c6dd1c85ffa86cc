// Samples as they would be behind a given NAT, for tests of the classifier: a NAT is a function from
// (local port, destination) to an external port, and a filter one from (change) to whether it lets in.

import type { FilteringSample, MappingSample, Samples } from '../../../src/nat/samples.js';
import type { Endpoint } from '../../../src/net/endpoint.js';

export const LOCAL = '192.168.1.2';
export const EXTERNAL = '198.51.100.7';
export const A1: Endpoint = { host: '203.0.113.1', port: 3478 };
export const A2: Endpoint = { host: '203.0.113.1', port: 3479 };
export const B2: Endpoint = { host: '203.0.113.2', port: 3479 };

/** The external port that a NAT gives. */
export type PortOf = (localPort: number, destination: Endpoint) => number;

export function mapping(portOf: PortOf, host: string = EXTERNAL): MappingSample[] {
  const contacts: [number, Endpoint][] = [
    [40_001, A1],
    [51_723, A1],
    [45_500, A1],
    [38_442, A1],
    [40_001, A2],
    [40_001, B2],
  ];
  return contacts.map(([port, server]) => ({
    local: { host: LOCAL, port },
    server,
    mapped: { host, port: portOf(port, server) },
  }));
}

export function filtering(
  address: FilteringSample['outcome'],
  port: FilteringSample['outcome'],
  tries = 8,
  localPort = 51_723,
): FilteringSample[] {
  return [
    { server: A1, change: 'address', localPort, outcome: address, tries },
    { server: A1, change: 'port', localPort, outcome: port, tries },
  ];
}

export function samples(change: Partial<Samples>): Samples {
  return {
    transport: 'udp',
    localAddress: LOCAL,
    mapping: [],
    filtering: [],
    delivery: { sent: 12, answered: 12 },
    unheard: [],
    ...change,
  };
}

/** NATs by how they give ports. */
export const PORTS = {
  preserving: (): PortOf => port => port,
  /** One external port for each local one, far from one another. */
  random: (): PortOf => port => 1_024 + ((port * 40_503) % 64_512),
  /** One for each local port and destination. */
  symmetricRandom: (): PortOf => {
    let state = 12_345;
    return () => 1_024 + ((state = (state * 48_271) % 2_147_483_647) % 64_512);
  },
  symmetricSequential: (step: number, start = 20_000): PortOf => {
    let next = start - step;
    return () => (next = ((((next + step - 1_024) % 64_512) + 64_512) % 64_512) + 1_024);
  },
  /** One for each local port and destination address. */
  perAddress: (): PortOf => {
    const symmetric = PORTS.symmetricRandom();
    const given = new Map<string, number>();
    return (port, { host }) => {
      const key = `${port} ${host}`;
      if (!given.has(key)) given.set(key, symmetric(port, A1));
      return given.get(key)!;
    };
  },
};
