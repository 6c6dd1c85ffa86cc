// One side's program at work until one of its connections is a link: PunchRun brings them up, the handshake proves
// them, punch-nomination.ts decides between several. The initiator is the TLS client, whoever's SYN came first.
import type { Socket } from 'node:net';
import { WayleaveError } from '../errors.js';
import { endsOf } from '../net/sockets.js';
import { secure } from '../pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../pipe/opening.js';
import { nominate } from './punch-nomination.js';
import type { Program } from './punch-plan.js';
import type { PunchPort } from './punch-port.js';
import { PunchRun, type SynAllowance } from './punch-run.js';
import { StrategyFailure } from './reasons.js';
import type { Attempt, Link } from './strategy.js';

/**
 * A connection that stays silent for so long has lost its other end: twelve round trips of 200 ms. The responder, which
 * hears all of them at once, outlasts the initiator: what that one has proved must not be given up on this side.
 */
const SILENT_MS = { initiator: 2500, responder: 20_000 } as const;
/** The initiator tries a second connection beside a silent first after so long; the responder hears all at once. */
const HEAD_START_MS = { initiator: 300, responder: 0 } as const;

export interface Meeting extends Pick<Attempt, 'identity' | 'clock'> {
  readonly role: keyof typeof HEAD_START_MS;
  /** The attempt's id. */
  readonly id: string;
  readonly peerId: string;
  readonly port: PunchPort;
  readonly program: Program;
  readonly peerHost: string;
  readonly allowance: SynAllowance;
  /** For connections to come up. */
  readonly round: AbortSignal;
  readonly whole: AbortSignal;
}

/** Leaves nothing behind but the link. @throws the reason of `round` or of `whole`. */
export async function meet(meeting: Meeting): Promise<Link> {
  const { role, port, program, peerHost, allowance, clock, round, whole } = meeting;
  if (program.dials.length > allowance.left)
    throw new StrategyFailure('hole-not-made', 'no SYNs are left for another round');
  const { localAddress, port: punchPort } = port;
  await using run = new PunchRun({
    program,
    localAddress,
    punchPort,
    peerHost,
    allowance,
    clock,
    random: Math.random,
  });
  await run.start(round);
  return await nominate<Socket, Link>({
    next: signal => run.next(signal),
    handshake: async (socket, signal) => {
      try {
        return await (role === 'initiator' ? asClient : asServer)(socket, meeting, signal);
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    discard: ({ secured }) => secured.socket.destroy(),
    headStartMs: HEAD_START_MS[role],
    clock,
    round,
    whole,
  });
}

async function asClient(socket: Socket, meeting: Meeting, signal: AbortSignal): Promise<Link> {
  const { identity, id, peerId: expected } = meeting;
  const ends = endsOf(socket);
  const secured = await secure(socket, identity, {
    role: 'client',
    expected,
    signal,
    timeoutMs: SILENT_MS.initiator,
  });
  return {
    secured,
    ...ends,
    // the peer has agreed by its answer, so there is nothing to wait for
    nominate: nominating =>
      sendHello(secured, { purpose: 'open', attempt: id }, { signal: nominating, waitForAccept: false }),
  };
}

async function asServer(socket: Socket, meeting: Meeting, signal: AbortSignal): Promise<Link> {
  const { identity, id, peerId: expected } = meeting;
  const ends = endsOf(socket);
  const timeoutMs = SILENT_MS.responder;
  const secured = await secure(socket, identity, { role: 'server', expected, signal, timeoutMs });
  const hello = await receiveHello(secured, { signal, timeoutMs });
  if (hello.purpose !== 'open' || hello.attempt !== id)
    throw new WayleaveError('protocol-error', 'a connection of another attempt');
  return { secured, ...ends, nominate: async () => accept(secured) };
}
