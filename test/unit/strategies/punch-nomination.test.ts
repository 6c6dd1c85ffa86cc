// Both sides agree on one connection, whatever the network does: the strategy's own rounds and nomination, on a
// simulated network with a clock that tests move. Connections come up on each side at any time, on one side only or
// not at all, are doubled, slow, dead; signalling loses and delays; both nodes may connect to each other at once.
import { describe, expect, it, vi } from 'vitest';
import { NodeAddress } from '../../../src/address/node-address.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { punch } from '../../../src/strategies/punch.js';
import type { Meeting } from '../../../src/strategies/punch-meeting.js';
import { nominate } from '../../../src/strategies/punch-nomination.js';
import type { Attempt, Link, PeerRequest } from '../../../src/strategies/strategy.js';
import { FakeClock } from '../../fake-clock.js';
import { type Random, seededRandom } from '../../lab/random.js';
import { HOUR, interfaceAt, nat, own } from '../address/samples.js';
import { TCP } from './punch-sides.js';
import { type SimulatedEnd, SimulatedNetwork } from './simulated-network.js';

/** Where `meet` finds the network of the run that it is part of. */
const networks = new Map<string, SimulatedNetwork>();

vi.mock('../../../src/strategies/punch-meeting.js', () => ({
  meet: (meeting: Meeting) => {
    const network = networks.get(meeting.id)!;
    const { role, port, program } = meeting;
    const arrivals = network.arrivals(role, role === 'initiator' ? port.port : program.dials[0]!.remote.port);
    return nominate<SimulatedEnd, Link>({
      next: signal => arrivals.next(signal),
      handshake: (end, signal) => end.handshake(meeting.role, signal),
      discard: link => (link as Link & { end: SimulatedEnd }).end.close(),
      headStartMs: meeting.role === 'initiator' ? 300 : 0,
      clock: meeting.clock,
      round: meeting.round,
      whole: meeting.whole,
    }).finally(() => arrivals.close());
  },
}));

const START = 1_700_000_000_000;
const place = { ...nat, ...TCP.drop };

function node(number: number) {
  const identity = createIdentity();
  const external = { host: `198.51.100.${number}`, port: null };
  const address = NodeAddress.sign(
    identity,
    own({
      issuedAt: START,
      expiresAt: START + 24 * HOUR,
      interfaces: [interfaceAt('192.168.1.2', { external, tcp: place })],
    }),
  );
  let port = 40_000; // another one each time
  const punchPorts = {
    take: async () => ({
      localAddress: '192.168.1.2',
      port: ++port,
      side: { mapped: { host: external.host, port }, tcp: TCP.drop, recentPorts: [] },
      [Symbol.asyncDispose]: async () => {},
    }),
    turns: { take: async () => ({ [Symbol.dispose]() {} }) },
  };
  return { identity, address, host: external.host, punchPorts, lastPort: () => port };
}

type Node = ReturnType<typeof node>;

interface Outcome {
  initiator?: number | undefined;
  /** Of the initiator's connection; 1 is the first. */
  round?: number;
  responder?: number | undefined;
  failed?: unknown;
}

/** One attempt of `a` towards `b` on a network of its own; resolves when both sides have settled. */
async function attempt(
  id: string,
  a: Node,
  b: Node,
  clock: FakeClock,
  random: Random,
  calm: boolean,
): Promise<Outcome> {
  const network = new SimulatedNetwork(clock, random, calm);
  networks.set(id, network);
  const outcome: Outcome = {};
  const end = new AbortController();
  const { initiator, responder } = network.signalling(end.signal);
  const before = a.lastPort();
  const common = { clock, handshakeTimeoutMs: 5000 };
  const budget = clock.deadline(10_000, end.signal);

  const responding = (async () => {
    const opener = await responder.next('punch-offer');
    const request = {
      ...common,
      serverRoundTripMs: 40,
      attempt: id,
      self: b.address,
      identity: b.identity,
      punchPorts: b.punchPorts,
      channel: responder,
      delivery: { from: a.identity.id, seenFrom: a.host, via: { greeting: undefined } },
      body: opener.body,
    } as unknown as PeerRequest;
    const link = await punch.respond!(request, budget.signal);
    outcome.responder = (link as Link & { end: SimulatedEnd }).end.number;
  })().catch(() => {});

  try {
    const asked = {
      ...common,
      serverRoundTripMs: async () => 40,
      id,
      self: a.address,
      peer: b.address,
      identity: a.identity,
      punchPorts: a.punchPorts,
      channel: () => initiator,
    } as unknown as Attempt;
    const link = await punch.initiate(asked, budget.signal);
    outcome.initiator = (link as Link & { end: SimulatedEnd }).end.number;
    outcome.round = Math.floor(outcome.initiator / 100) - before;
    await link.nominate(budget.signal);
  } catch (error) {
    outcome.failed = error;
  }
  await clock.sleep(4000); // what is under way arrives
  end.abort();
  await responding;
  budget[Symbol.dispose]();
  networks.delete(id);
  expect(network.openEnds(), 'connections left open beside the chosen one').toBeLessThanOrEqual(
    outcome.initiator === undefined && outcome.responder === undefined ? 0 : 2,
  );
  return outcome;
}

async function settled<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const marked = promise.finally(() => {
    done = true;
  });
  marked.catch(() => {});
  for (let i = 0; i < 200 && !done; i++) await clock.advance(200);
  expect(done, 'it settled').toBe(true);
  return await marked;
}

const RUNS = 600;
const [alice, bob] = [node(1), node(2)];

describe('nomination', () => {
  it('never two connections; the responder’s is the one that the initiator chose', {
    timeout: 120_000,
  }, async () => {
    let agreed = 0;
    let rounds = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const clock = new FakeClock(START);
      const outcome = await settled(
        clock,
        attempt(`wild-${seed}`, alice, bob, clock, seededRandom(seed), false),
      );
      if (outcome.responder !== undefined) expect(outcome.responder, `seed ${seed}`).toBe(outcome.initiator);
      if (outcome.initiator !== undefined && outcome.responder === outcome.initiator) agreed++;
      if (outcome.round !== undefined && outcome.round > 1) rounds++;
      await clock.advance(4000); // the last words arrive
      expect(clock.pending, `timers left, seed ${seed}`).toBe(0);
    }
    expect(agreed).toBeGreaterThan(RUNS / 2);
    expect(rounds, 'runs that needed another round').toBeGreaterThan(3);
  });

  it('where one connection of a round works, both take the same one', { timeout: 120_000 }, async () => {
    for (let seed = 0; seed < RUNS; seed++) {
      const clock = new FakeClock(START);
      const { initiator, responder, failed } = await settled(
        clock,
        attempt(`calm-${seed}`, alice, bob, clock, seededRandom(1000 + seed), true),
      );
      expect(failed, `seed ${seed}`).toBeUndefined();
      expect(initiator).toBeDefined();
      expect(responder, `seed ${seed}`).toBe(initiator);
    }
  });

  it('two nodes that connect to each other at once get one connection for each call', {
    timeout: 120_000,
  }, async () => {
    for (let seed = 0; seed < RUNS / 2; seed++) {
      const clock = new FakeClock(START);
      const both = await settled(
        clock,
        Promise.all([
          attempt(`there-${seed}`, alice, bob, clock, seededRandom(2000 + seed), true),
          attempt(`back-${seed}`, bob, alice, clock, seededRandom(3000 + seed), true),
        ]),
      );
      for (const { initiator, responder } of both) {
        expect(initiator).toBeDefined();
        expect(responder).toBe(initiator);
      }
    }
  });
});
