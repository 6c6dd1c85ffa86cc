// Relayed ports: drawn at random from a range (RFC 8656 section 7.2 asks for unpredictable ones), even ones
// and pairs for those who ask, and the second of a pair kept for 30 s under a token.

import { randomBytes, randomInt } from 'node:crypto';
import type { Socket as UdpSocket } from 'node:dgram';
import { WayleaveError } from '../../src/errors.js';
import { type Family, familyOf } from '../../src/net/ip-scope.js';
import { bindUdp, listenTcp, type TcpListener } from '../../src/net/sockets.js';

/** First and last port of a range, both included. */
export type PortRange = readonly [number, number];

/** Half of IANA's dynamic ports, which RFC 8656 section 7.2 names. */
const DEFAULT_RELAY_PORTS: PortRange = [49_152, 65_535];

const TRIES = 64;
const RESERVATION_MS = 30_000;
/** Room for bursts: what arrives while the process is busy with others waits in the kernel. */
const RECEIVE_BUFFER_BYTES = 1 << 19;

interface Reservation {
  readonly socket: UdpSocket;
  readonly family: Family;
  readonly untilMs: number;
}

export class RelayPorts {
  readonly #range: PortRange;
  readonly #reservations = new Map<string, Reservation>();

  /** @throws WayleaveError `bad-option` */
  constructor(range: PortRange = DEFAULT_RELAY_PORTS) {
    const [first, last] = range;
    if (
      !(Number.isInteger(first) && Number.isInteger(last) && first >= 1 && first <= last && last <= 65_535)
    ) {
      throw new WayleaveError('bad-option', `relay ports ${first}-${last} are not a range of ports`);
    }
    this.#range = range;
  }

  /** A relayed UDP port, or undefined when none could be had. */
  async udp(host: string, even = false): Promise<UdpSocket | undefined> {
    return this.#draw(even, async port => {
      const socket = await bindUdp({ family: familyOf(host), address: host, port });
      try {
        socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      } catch {
        // The system's limit is smaller: then that is what there is.
      }
      return socket;
    });
  }

  /** An even port, with the odd one above it kept for who brings the token. */
  async udpPair(host: string, nowMs: number): Promise<{ socket: UdpSocket; token: Buffer } | undefined> {
    return this.#draw(true, async port => {
      if (port + 1 > this.#range[1]) throw new WayleaveError('listen-failed', 'no room for a pair');
      const family = familyOf(host);
      const socket = await bindUdp({ family, address: host, port });
      try {
        const second = await bindUdp({ family, address: host, port: port + 1 });
        const token = randomBytes(8);
        this.#reservations.set(token.toString('hex'), {
          socket: second,
          family,
          untilMs: nowMs + RESERVATION_MS,
        });
        return { socket, token };
      } catch (error) {
        socket.close();
        throw error;
      }
    });
  }

  redeem(token: Buffer): { readonly socket: UdpSocket; readonly family: Family } | undefined {
    const key = token.toString('hex');
    const reservation = this.#reservations.get(key);
    this.#reservations.delete(key);
    return reservation;
  }

  /** A relayed TCP port that listens, or undefined when none could be had. */
  async tcp(host: string): Promise<TcpListener | undefined> {
    const ipv6Only = familyOf(host) === 6;
    return this.#draw(false, port => listenTcp({ host, port, backlog: 16, ipv6Only }, () => {}));
  }

  sweep(nowMs: number): void {
    for (const [key, { socket, untilMs }] of this.#reservations) {
      if (nowMs < untilMs) continue;
      socket.close();
      this.#reservations.delete(key);
    }
  }

  close(): void {
    this.sweep(Number.POSITIVE_INFINITY);
  }

  async #draw<T>(even: boolean, bind: (port: number) => Promise<T>): Promise<T | undefined> {
    const [first, last] = this.#range;
    const start = randomInt(first, last + 1);
    const ports = last - first + 1;
    for (let i = 0, tried = 0; i < ports && tried < TRIES; i++) {
      const port = first + ((start - first + i) % ports);
      if (even && port % 2 === 1) continue;
      tried++;
      try {
        return await bind(port);
      } catch (error) {
        // Ours or somebody else's: on to the next, unless the address itself is wrong.
        const code = ((error as WayleaveError).cause as NodeJS.ErrnoException | undefined)?.code;
        if (code !== 'EADDRINUSE' && code !== undefined) return undefined;
      }
    }
    return undefined;
  }
}
