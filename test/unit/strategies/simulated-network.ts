// What two punching sides see of the world, without sockets: connections with two ends that come up when they like,
// a handshake over them, and signalling that delays and loses. All chance is seeded, all time is the fake clock's.
import { abortError, WayleaveError } from '../../../src/errors.js';
import type { AttemptChannel, Heard } from '../../../src/signalling/channel.js';
import type { MessageType, PeerMessage } from '../../../src/signalling/messages.js';
import type { Link } from '../../../src/strategies/strategy.js';
import type { FakeClock } from '../../fake-clock.js';
import type { Random } from '../../lab/random.js';

type Role = 'initiator' | 'responder';
type Word = 'client-hello' | 'server-flight' | 'finished' | 'hello' | 'closed';

/** The real ones' limits, see punch-meeting.ts. */
const SILENT_MS = { initiator: 2500, responder: 8000 };

/** Things that come one after another to whoever waits. */
class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting = new Set<() => void>();

  push(item: T): void {
    this.#items.push(item);
    for (const wake of [...this.#waiting]) wake();
  }

  async take(signal: AbortSignal, wanted: (item: T) => boolean = () => true): Promise<T> {
    for (;;) {
      const at = this.#items.findIndex(wanted);
      if (at >= 0) return this.#items.splice(at, 1)[0]!;
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => {
          this.#waiting.delete(wake);
          reject(abortError(signal));
        };
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        this.#waiting.add(wake);
      });
    }
  }
}

export class SimulatedEnd {
  readonly number: number;
  readonly #network: SimulatedNetwork;
  readonly #inbox = new Inbox<Word>();
  peer!: SimulatedEnd;
  open = false;
  closed = false;
  #arrivesAt = 0;

  constructor(number: number, network: SimulatedNetwork) {
    this.number = number;
    this.#network = network;
  }

  say(word: Word): void {
    const { clock } = this.#network;
    this.#arrivesAt = Math.max(this.#arrivesAt, clock.now() + this.#network.delayMs()); // in order, as TCP has it
    void clock.sleep(this.#arrivesAt - clock.now()).then(() => this.peer.hear(word));
  }

  hear(word: Word): void {
    if (this.closed) {
      if (word !== 'closed') this.say('closed'); // a reset
      return;
    }
    this.#inbox.push(word);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.say('closed');
  }

  async handshake(role: Role, signal: AbortSignal): Promise<Link> {
    using limit = this.#network.clock.deadline(SILENT_MS[role], signal);
    const expectWord = async (word: Word) => {
      const heard = await this.#inbox.take(limit.signal);
      if (heard !== word) throw new WayleaveError('handshake-failed', heard);
    };
    try {
      if (role === 'initiator') {
        this.say('client-hello');
        await expectWord('server-flight');
        this.say('finished');
      } else {
        await expectWord('client-hello');
        this.say('server-flight');
        await expectWord('finished');
        await expectWord('hello');
      }
    } catch (error) {
      this.close();
      throw error;
    }
    const nominate = async () => {
      if (role === 'initiator') this.say('hello');
    };
    return { end: this, nominate } as unknown as Link;
  }
}

interface Connection extends Readonly<Record<Role, SimulatedEnd>> {
  readonly works: boolean;
}

export class SimulatedNetwork {
  readonly clock: FakeClock;
  readonly #random: Random;
  readonly #calm: boolean;
  readonly #ends: SimulatedEnd[] = [];
  readonly #worlds = new Map<number, readonly Connection[]>();

  /** @param calm every round has a connection that works, nothing takes longer than 150 ms. */
  constructor(clock: FakeClock, random: Random, calm: boolean) {
    this.clock = clock;
    this.#random = random;
    this.#calm = calm;
  }

  delayMs(): number {
    const slow = !this.#calm && this.#random() < 0.1; // lost, and sent again
    return 1 + this.#random() * 149 + (slow ? 200 + this.#random() * 1500 : 0);
  }

  openEnds(): number {
    return this.#ends.filter(({ open, closed }) => open && !closed).length;
  }

  /** What comes up on one side in the round that the initiator plays from that port. */
  arrivals(role: Role, initiatorPort: number) {
    const inbox = new Inbox<SimulatedEnd>();
    this.#dialled(this.#world(initiatorPort), role, end => inbox.push(end));
    const mine = (end: SimulatedEnd) => !end.closed;
    return {
      next: (signal: AbortSignal) => inbox.take(signal, mine),
      close: () => {
        inbox.push = end => end.close(); // the socket that comes up now has nobody
        const rest = AbortSignal.abort();
        void (async () => {
          for (;;) (await inbox.take(rest)).close();
        })().catch(() => {});
      },
    };
  }

  /** The two ends of the attempt's signalling; some messages are lost, at most every third. */
  signalling(end: AbortSignal): Record<Role, AttemptChannel> {
    const inboxes = { initiator: new Inbox<PeerMessage>(), responder: new Inbox<PeerMessage>() };
    const channel = (own: Role, other: Role) =>
      ({
        send: async (body: PeerMessage) => {
          if (!this.#calm && this.#random() < 0.1) return;
          void this.clock.sleep(this.delayMs()).then(() => inboxes[other].push(body));
        },
        next: async (
          types: MessageType | readonly MessageType[],
          { signal = end, where = () => true }: Parameters<AttemptChannel['next']>[1] = {},
        ) => {
          using either = this.clock.deadline(2 ** 30, [signal, end]);
          const wanted = (body: PeerMessage) => types.includes(body.type) && where({ body } as Heard);
          return { body: await inboxes[own].take(either.signal, wanted) };
        },
      }) as unknown as AttemptChannel;
    return { initiator: channel('initiator', 'responder'), responder: channel('responder', 'initiator') };
  }

  /** The connections of one round: doubled, some dead on one side or both. */
  #world(port: number): readonly Connection[] {
    const known = this.#worlds.get(port);
    if (known) return known;
    const count = Math.floor(this.#calm ? 1 + this.#random() * 5 : this.#random() * 5);
    const made = Array.from({ length: count }, (_, i) => {
      const number = 100 * port + i;
      const pair = { initiator: new SimulatedEnd(number, this), responder: new SimulatedEnd(number, this) };
      pair.initiator.peer = pair.responder;
      pair.responder.peer = pair.initiator;
      const works = this.#calm && i === 0;
      for (const end of [pair.initiator, pair.responder]) end.closed = !works && this.#random() < 0.2;
      this.#ends.push(pair.initiator, pair.responder);
      return { ...pair, works };
    });
    this.#worlds.set(port, made);
    return made;
  }

  /** One side has dialled: its ends come up soon, late or never. */
  #dialled(connections: readonly Connection[], role: Role, onUp: (end: SimulatedEnd) => void): void {
    for (const { [role]: end, works } of connections) {
      if (end.closed) continue;
      const afterMs = this.#random() * (works || this.#random() < 0.7 ? 200 : 3500);
      void this.clock.sleep(afterMs).then(() => {
        end.open = true;
        onUp(end);
      });
    }
  }
}
