// The forwarding mux without a socket: two of them, joined by two queues of messages, driven by random programs.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_CONNECTIONS, type MuxEvent, PortMux, WINDOW_BYTES } from '../../../src/cli/port-mux.js';
import { decodeMuxFrame, encodeMuxFrame, MAX_DATA_BYTES } from '../../../src/cli/port-mux-frames.js';
import { WayleaveError } from '../../../src/errors.js';

type Side = 'near' | 'far';
const SIDES = ['near', 'far'] as const;
const other = (side: Side): Side => (side === 'near' ? 'far' : 'near');

/** What one side's socket of one connection has sent and got. */
interface SocketModel {
  readonly sent: Buffer[];
  readonly got: Buffer[];
  readonly untaken: Buffer[];
  ended: boolean;
  gotEnd: boolean;
  broken: boolean;
}

/** Two muxes and the messages between them, each in order. */
class Link {
  readonly mux = { near: new PortMux('near'), far: new PortMux('far') };
  readonly toward: Record<Side, Buffer[]> = { near: [], far: [] };
  readonly sockets: Record<Side, Map<number, SocketModel>> = { near: new Map(), far: new Map() };

  open(): number | undefined {
    if (!this.mux.near.mayOpen) return undefined;
    const id = this.mux.near.open();
    this.sockets.near.set(id, newSocket());
    return id;
  }

  write(side: Side, id: number, bytes: Buffer): void {
    const socket = this.sockets[side].get(id);
    if (!socket || socket.ended || socket.broken || !this.mux[side].wants(id)) return;
    socket.sent.push(bytes);
    this.mux[side].write(id, bytes);
  }

  end(side: Side, id: number): void {
    const socket = this.sockets[side].get(id);
    if (!socket || socket.ended || socket.broken) return;
    socket.ended = true;
    this.mux[side].end(id);
  }

  reset(side: Side, id: number): void {
    const socket = this.sockets[side].get(id);
    if (!socket || socket.broken || (socket.ended && socket.gotEnd)) return; // a socket that has closed
    socket.broken = true;
    this.mux[side].reset(id);
  }

  /** The socket takes what was handed to it. */
  consume(side: Side, id: number): void {
    const socket = this.sockets[side].get(id);
    for (const bytes of socket?.untaken.splice(0) ?? []) this.mux[side].consumed(id, bytes);
  }

  send(side: Side, most = Infinity): number {
    let count = 0;
    for (; count < most; count++) {
      const turn = this.mux[side].next();
      if (!turn) break;
      this.toward[other(side)].push(turn.message);
    }
    return count;
  }

  receive(side: Side, most = Infinity): number {
    let count = 0;
    for (; count < most; count++) {
      const message = this.toward[side].shift();
      if (!message) break;
      const event = this.mux[side].received(message);
      if (event) this.#happened(side, event);
    }
    return count;
  }

  /** Lets everything flow to its end. */
  settle(): void {
    for (let moved = 1; moved > 0; ) {
      moved = 0;
      for (const side of SIDES) {
        moved += this.send(side) + this.receive(side);
        for (const id of this.sockets[side].keys()) this.consume(side, id);
      }
    }
  }

  #happened(side: Side, event: MuxEvent): void {
    if (event.type === 'open') {
      expect(this.sockets[side].has(event.id)).toBe(false);
      this.sockets[side].set(event.id, newSocket());
      return;
    }
    const socket = this.sockets[side].get(event.id)!;
    expect(socket.broken).toBe(false); // nothing is handed to a socket that is gone
    if (event.type === 'data') {
      expect(socket.gotEnd).toBe(false);
      socket.got.push(event.bytes);
      socket.untaken.push(event.bytes);
      const held = socket.untaken.reduce((sum, { length }) => sum + length, 0);
      expect(held).toBeLessThanOrEqual(WINDOW_BYTES);
    }
    if (event.type === 'end') socket.gotEnd = true;
    if (event.type === 'reset') socket.broken = true;
  }
}

function newSocket(): SocketModel {
  return { sent: [], got: [], untaken: [], ended: false, gotEnd: false, broken: false };
}

const side = fc.constantFrom(...SIDES);
const id = fc.integer({ min: 1, max: 3 });
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      side,
      id,
      length: fc.integer({ min: 1, max: 100_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), side, id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), side, id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('consume' as const), side, id }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('send' as const), side, most: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      side,
      most: fc.integer({ min: 1, max: 20 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(link: Link, action: Step, fill: number): void {
  if (action.do === 'open') link.open();
  else if (action.do === 'write') link.write(action.side, action.id, Buffer.alloc(action.length, fill));
  else if (action.do === 'end') link.end(action.side, action.id);
  else if (action.do === 'reset') link.reset(action.side, action.id);
  else if (action.do === 'consume') link.consume(action.side, action.id);
  else if (action.do === 'send') link.send(action.side, action.most);
  else link.receive(action.side, action.most);
}

const bytesOf = (buffers: readonly Buffer[]) => Buffer.concat(buffers);

describe('the mux of a forwarding', () => {
  it('delivers, whatever happens, a prefix; all of it unless reset; and forgets every finished connection', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }), steps => {
        const link = new Link();
        link.open();
        link.open();
        steps.forEach((action, index) => {
          perform(link, action, index);
          expect(link.mux.far.size).toBeLessThanOrEqual(MAX_CONNECTIONS);
        });
        link.settle();
        for (const [number, near] of link.sockets.near) {
          const far = link.sockets.far.get(number);
          if (!far) {
            expect(near.broken).toBe(true); // broken off before the far side heard of it
            continue;
          }
          if (near.broken !== far.broken) {
            const survivor = near.broken ? far : near; // a reset reaches the other side, or it was through before
            expect(survivor).toMatchObject({ ended: true, gotEnd: true });
          }
          for (const [from, to] of [
            [near, far],
            [far, near],
          ] as const) {
            const sent = bytesOf(from.sent);
            const got = bytesOf(to.got);
            expect(got.equals(sent.subarray(0, got.length))).toBe(true);
            if (from.broken || to.broken) continue;
            expect(got.length).toBe(sent.length);
            expect(to.gotEnd).toBe(from.ended);
          }
          link.end('near', number);
          link.end('far', number);
        }
        link.settle();
        expect(link.mux.near.size).toBe(0);
        expect(link.mux.far.size).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it('carries many windows of data both ways, however slowly the sockets take it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 5, maxLength: 20 }), strides => {
        const link = new Link();
        const of = link.open()!;
        link.settle();
        for (let round = 0; round < 200; round++) {
          for (const from of SIDES) link.write(from, of, Buffer.alloc(60_000, round));
          for (const from of SIDES) link.send(from, strides[round % strides.length]);
          for (const to of SIDES) link.receive(to);
          if (round % 10 === 9) for (const to of SIDES) link.consume(to, of);
        }
        for (const from of SIDES) link.end(from, of);
        link.settle();
        for (const from of SIDES) {
          const sent = bytesOf(link.sockets[from].get(of)!.sent);
          expect(sent.length).toBeGreaterThan(5 * WINDOW_BYTES);
          expect(bytesOf(link.sockets[other(from)].get(of)!.got).equals(sent)).toBe(true);
        }
        expect(link.mux.near.size + link.mux.far.size).toBe(0);
      }),
      { numRuns: 4 },
    );
  });

  it('meets anything at all with its own error or none, and stays bounded', () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
      fc
        .tuple(fc.constantFrom('open', 'end', 'reset'), fc.integer({ min: 0, max: 200 }))
        .map(([type, of]) => encodeMuxFrame({ type, id: of } as MuxEvent)),
      fc
        .tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 * WINDOW_BYTES }))
        .map(([of, count]) => encodeMuxFrame({ type: 'credit', id: of, count })),
      fc
        .integer({ min: 0, max: 200 })
        .map(of => encodeMuxFrame({ type: 'data', id: of, bytes: Buffer.alloc(MAX_DATA_BYTES) })),
    );
    fc.assert(
      fc.property(side, fc.array(frame, { maxLength: 200 }), (role, frames) => {
        const mux = new PortMux(role);
        try {
          for (const message of frames) mux.received(message);
        } catch (error) {
          expect(error).toBeInstanceOf(WayleaveError);
          expect((error as WayleaveError).code).toBe('protocol-error');
        }
        expect(mux.size).toBeLessThanOrEqual(MAX_CONNECTIONS);
        // all that it owes for what was sent to it is at most two words a connection
        let owed = 0;
        while (mux.next()) owed++;
        expect(owed).toBeLessThanOrEqual(2 * MAX_CONNECTIONS);
      }),
      { numRuns: 2000 },
    );
  });

  it('frames survive encoding', () => {
    for (const frame of [
      { type: 'open', id: 1 },
      { type: 'data', id: 0xffff_ffff, bytes: Buffer.from('x') },
      { type: 'credit', id: 7, count: WINDOW_BYTES },
      { type: 'end', id: 2 },
      { type: 'reset', id: 3 },
    ] as const) {
      expect(decodeMuxFrame(encodeMuxFrame(frame))).toEqual(frame);
    }
  });

  it('a connection that is not read holds up nobody else', () => {
    const link = new Link();
    const stuck = link.open()!;
    const lively = link.open()!;
    link.settle();
    for (let i = 0; i < 100; i++) {
      link.write('near', stuck, Buffer.alloc(60_000));
      link.send('near');
      link.receive('far'); // and nobody consumes
    }
    expect(link.mux.near.wants(stuck)).toBe(false);
    link.write('near', lively, Buffer.from('hello'));
    link.send('near');
    link.receive('far');
    expect(bytesOf(link.sockets.far.get(lively)!.got).toString()).toBe('hello');
    expect(bytesOf(link.sockets.far.get(stuck)!.got).length).toBeLessThan(WINDOW_BYTES);
  });

  it('connections take turns', () => {
    const link = new Link();
    const ids = [link.open()!, link.open()!, link.open()!];
    link.settle();
    for (const of of ids) link.write('near', of, Buffer.alloc(4 * MAX_DATA_BYTES));
    const order = Array.from({ length: 9 }, () => link.mux.near.next()!.id);
    expect(order).toEqual([...ids, ...ids, ...ids]);
  });

  it('a window of single bytes is a bounded number of them', () => {
    const near = new PortMux('near');
    const far = new PortMux('far');
    const of = near.open();
    far.received(near.next()!.message);
    let frames = 0;
    for (; frames < WINDOW_BYTES; frames++) {
      near.write(of, Buffer.from('x'));
      const turn = near.next();
      if (!turn) break;
      far.received(turn.message);
    }
    expect(frames).toBeLessThan(10_000);
  });

  it('opens no more than its limit, and refuses a peer that does', () => {
    const near = new PortMux('near');
    const far = new PortMux('far');
    while (near.mayOpen) {
      near.open();
      far.received(near.next()!.message);
    }
    expect(near.size).toBe(MAX_CONNECTIONS);
    expect(() => far.received(encodeMuxFrame({ type: 'open', id: MAX_CONNECTIONS + 1 }))).toThrow(
      /more than/,
    );
  });

  it.each<[string, (mux: PortMux) => void]>([
    ['an open twice', mux => mux.received(encodeMuxFrame({ type: 'open', id: 1 }))],
    [
      'data for nothing',
      mux => mux.received(encodeMuxFrame({ type: 'data', id: 9, bytes: Buffer.from('x') })),
    ],
    ['credit for nothing', mux => mux.received(encodeMuxFrame({ type: 'credit', id: 9, count: 1 }))],
    ['credit beyond the window', mux => mux.received(encodeMuxFrame({ type: 'credit', id: 1, count: 1 }))],
    [
      'data after its end',
      mux => {
        mux.received(encodeMuxFrame({ type: 'end', id: 1 }));
        mux.received(encodeMuxFrame({ type: 'data', id: 1, bytes: Buffer.from('x') }));
      },
    ],
    [
      'data beyond the window',
      mux => {
        const message = encodeMuxFrame({ type: 'data', id: 1, bytes: Buffer.alloc(MAX_DATA_BYTES) });
        for (let i = 0; i <= WINDOW_BYTES / MAX_DATA_BYTES; i++) mux.received(message);
      },
    ],
  ])('refuses %s', (_, act) => {
    const mux = new PortMux('far');
    mux.received(encodeMuxFrame({ type: 'open', id: 1 }));
    expect(() => act(mux)).toThrow(expect.objectContaining({ code: 'protocol-error' }));
  });
});
