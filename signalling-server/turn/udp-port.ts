// A UDP port that clients come to: which 5-tuple a datagram belongs to, and what kind it is, by its first
// bits (RFC 8656 section 12.4, RFC 7983). A stranger's datagram leaves nothing behind.
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import { unmappedIp } from '../../src/net/ip-scope.js';
import { isChannelNumber } from '../../src/stun/framing.js';
import { looksLikeStun } from '../../src/stun/message.js';
import type { ClientPath } from './client-path.js';
import { heldBy, type Session } from './core.js';
import type { TurnService } from './service.js';

export class UdpPort {
  readonly #socket: UdpSocket;
  readonly #service: TurnService;
  /** By port, then by address: both keys are there already, nothing is put together for a look-up. */
  readonly #sessions = new Map<number, Map<string, Session>>();

  constructor(socket: UdpSocket, service: TurnService) {
    this.#socket = socket;
    this.#service = service;
  }

  receive(bytes: Buffer, { address, port }: RemoteInfo): void {
    if (bytes.length >= 4 && bytes[0]! >= 0x40) return void this.#channelData(bytes, address, port);
    if (!looksLikeStun(bytes)) return void this.#service.core.counters.malformed++;
    const known = this.#sessions.get(port)?.get(address);
    const session = known ?? this.#session(address, port);
    this.#service.receive(session, bytes);
    if (!known && session.held) this.#remember(session, address, port);
  }

  #channelData(bytes: Buffer, address: string, port: number): void {
    const number = (bytes[0]! << 8) | bytes[1]!;
    const end = 4 + ((bytes[2]! << 8) | bytes[3]!);
    const session = this.#sessions.get(port)?.get(address);
    const allocation = session && heldBy(session)?.allocation;
    if (allocation?.kind === 'udp' && end <= bytes.length && isChannelNumber(number)) {
      allocation.fromClientChannel(number, bytes.subarray(4, end));
    } else this.#service.core.counters.dropped++;
  }

  #session(host: string, port: number): Session {
    const socket = this.#socket;
    const send = (bytes: Buffer) => {
      try {
        socket.send(bytes, port, host);
      } catch {
        // The socket was closed while an answer was on its way.
      }
    };
    // What the socket calls its client may carry a zone (fe80::1%eth0), which no address attribute can say.
    const remote = { host: unmappedIp(host), port };
    const path: ClientPath = { transport: 'udp', remote, send, sendData: send };
    return { path, held: undefined, onEnded: () => this.#forget(host, port) };
  }

  #remember(session: Session, address: string, port: number): void {
    const ofPort = this.#sessions.get(port);
    if (ofPort) ofPort.set(address, session);
    else this.#sessions.set(port, new Map([[address, session]]));
  }

  #forget(address: string, port: number): void {
    const ofPort = this.#sessions.get(port);
    ofPort?.delete(address);
    if (ofPort?.size === 0) this.#sessions.delete(port);
  }
}
