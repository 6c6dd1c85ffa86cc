// What a probe observes, as plain data: the only thing that classify.ts decides by. One set for each local
// address and transport.
import type { Endpoint } from '../net/endpoint.js';

/** From this local endpoint to this one of a server: what the server saw. */
export interface MappingSample {
  readonly local: Endpoint;
  readonly server: Endpoint;
  readonly mapped: Endpoint;
}

/** Whether a packet that nobody asked for came in, from the server's other address or only its other port. */
export interface FilteringSample {
  /** The server's first endpoint: whose word it is. */
  readonly server: Endpoint;
  readonly change: 'address' | 'port';
  /** The local port that was to be reached: another one is another test. */
  readonly localPort: number;
  /** `refused`: a reset came back (TCP). `silent`: nothing came through. */
  readonly outcome: 'passed' | 'refused' | 'silent';
  /** How many packets were tried: behind a lossy path one lost packet proves nothing. */
  readonly tries: number;
}

/** Exchanges that could only fail by loss: how good the path is. */
export interface Delivery {
  readonly sent: number;
  readonly answered: number;
}

/** A server that never answered: with silence, or by refusing the transport. */
export interface Unheard {
  readonly how: 'silent' | 'refused';
  readonly sends: number;
}

export interface Samples {
  readonly transport: 'udp' | 'tcp';
  readonly localAddress: string;
  /** In the order in which their mappings were made: one after another. */
  readonly mapping: readonly MappingSample[];
  readonly filtering: readonly FilteringSample[];
  /** Whether a packet to the own external endpoint came back; undefined: not tried. */
  readonly hairpin?: { readonly passed: boolean; readonly tries: number } | undefined;
  /**
   * Whether a connection got out to a port other than the web's, of a server that answers; undefined: not tried, or
   * refused, which may be the server's doing. TCP only.
   */
  readonly beyondWeb?: { readonly passed: boolean; readonly tries: number } | undefined;
  readonly delivery: Delivery;
  readonly unheard: readonly Unheard[];
}

/** The share of exchanges that come through, estimated with caution: never quite 1, a half without evidence. */
export function deliveryRate(...counts: readonly Delivery[]): number {
  const sent = counts.reduce((sum, count) => sum + count.sent, 0);
  const answered = counts.reduce((sum, count) => sum + count.answered, 0);
  return (answered + 1) / (sent + 2);
}

/** How likely silence is mere bad luck: that all of these tries were lost, on a path of this rate. */
export function doubtOfSilence(tries: number, rate: number): number {
  return (1 - rate) ** tries;
}
