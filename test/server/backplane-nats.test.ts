// Backplanes of several processes, joined through a real NATS server: who holds an id, what became of a message,
// and what is left when NATS is away or somebody talks nonsense there.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NatsBackplane } from '../../signalling-server/backplane/nats.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { freePort } from '../free-port.js';
import { requirement } from '../requirements.js';
import { until } from '../unit/signalling/members.js';
import { joinedBackplane, type NatsProcess, startNats } from './nats.js';
import { frame, idOf, seat } from './seats.js';

const describeNats = await requirement('nats');
const TEXTS = Array.from({ length: 500 }, (_, i) => frame(`message ${i}`));

describeNats('backplanes joined through NATS', () => {
  let scope: Scope;
  let nats: NatsProcess;
  let [one, two]: NatsBackplane[] = [];
  beforeEach(async () => {
    scope = new Scope();
    nats = await startNats(scope);
    [one, two] = [await joinedBackplane(scope, nats), await joinedBackplane(scope, nats)];
  });
  afterEach(() => scope.close());

  /** Somebody else on the same NATS. */
  async function stranger(): Promise<NatsConnection> {
    const connection = await connect({ servers: nats.url });
    scope.defer(() => connection.close());
    return connection;
  }

  it('a seat at one is reached from the other as soon as it is taken; in order, each message once', async () => {
    const b = seat('b');
    await two!.take(b);
    const outcomes = await Promise.all(TEXTS.map(text => one!.pass(b.id, text)));
    expect(new Set(outcomes)).toEqual(new Set(['sent']));
    expect(b.log).toEqual(TEXTS);
    expect(one!.figures).toMatchObject({ pending: 0, messages: { out: 500, in: 0 } });
    expect(two!.figures).toMatchObject({ messages: { out: 0, in: 500 } });
  });

  it('whoever leaves is not here, everywhere', async () => {
    const b = seat('b');
    await two!.take(b);
    two!.leave(b);
    await until(() => true);
    expect(await one!.pass(b.id, TEXTS[0]!)).toBe('not-here');
    expect(b.log).toEqual([]);
  });

  it('the seat’s own word comes back: too slow', async () => {
    await two!.take(seat('b', 'too-slow'));
    expect(await one!.pass(idOf('b'), TEXTS[0]!)).toBe('too-slow');
  });

  it('a node that moves takes its id along, there and back', async () => {
    const [here, there, again] = [seat('n'), seat('n'), seat('n')];
    await one!.take(here);
    await two!.take(there);
    await until(() => here.log.length > 0);
    expect(here.log).toEqual(['taken over']);
    one!.leave(here);
    expect(await one!.pass(idOf('n'), TEXTS[0]!)).toBe('sent');
    expect(there.log).toEqual([TEXTS[0]]);
    await one!.take(again);
    await until(() => there.log.length > 1);
    expect(there.log).toEqual([TEXTS[0], 'taken over']);
    expect(await two!.pass(idOf('n'), TEXTS[1]!)).toBe('sent');
    expect(again.log).toEqual([TEXTS[1]]);
  });

  it('registered at both at the same time: one seat is left, whatever the order', async () => {
    for (let round = 0; round < 50; round++) {
      const rivals = [seat('r'), seat('r')] as const;
      const taken = [one!.take(rivals[0]), two!.take(rivals[1])];
      await Promise.all(taken);
      await until(() => rivals.some(({ log }) => log.length > 0));
      await systemClock.sleep(2); // time for a second loser, if there were one
      expect(rivals.flatMap(({ log }) => log)).toEqual(['taken over']);
      const [winner] = rivals.filter(({ log }) => log.length === 0);
      expect(await one!.pass(idOf('r'), TEXTS[0]!)).toBe('sent');
      expect(await two!.pass(idOf('r'), TEXTS[1]!)).toBe('sent');
      expect(winner!.log).toEqual([TEXTS[0], TEXTS[1]]);
      one!.leave(rivals[0]);
      two!.leave(rivals[1]);
    }
  });

  it('messages to a node on the move: each arrives once, at one of its seats, or is reported', async () => {
    const three = await joinedBackplane(scope, nats);
    const seats = [seat('m')];
    await two!.take(seats[0]!);
    const passed: Promise<string>[] = [];
    for (let move = 0; move < 20; move++) {
      for (const text of TEXTS.slice(move * 25, move * 25 + 25))
        passed.push(Promise.resolve(one!.pass(idOf('m'), text)));
      const next = seat('m');
      const [to, from] = move % 2 === 0 ? [three, two!] : [two!, three];
      const former = seats.at(-1)!;
      seats.push(next);
      void to.take(next);
      await systemClock.sleep(1);
      if (move % 3 === 0) from.leave(former);
    }
    const outcomes = await Promise.all(passed);
    const arrived = seats.flatMap(({ log }) => log.filter(text => text !== 'taken over'));
    expect(new Set(arrived).size).toBe(arrived.length);
    const acknowledged = TEXTS.filter((_, i) => outcomes[i] === 'sent');
    expect(new Set(arrived)).toEqual(new Set(acknowledged));
    expect(acknowledged.length).toBe(TEXTS.length); // it was always somewhere
  });

  it('`sent` waits for the kernel; what it never took is not here', async () => {
    const b = seat('b', 'sent', { hold: true });
    await two!.take(b);
    const outcomes: string[] = [];
    for (const text of TEXTS.slice(0, 2))
      void Promise.resolve(one!.pass(b.id, text)).then(outcome => outcomes.push(outcome));
    await until(() => b.log.length === 2);
    await systemClock.sleep(50);
    expect(outcomes).toEqual([]);
    b.written();
    await until(() => outcomes.length === 2);
    expect(outcomes).toEqual(['sent', 'sent']);
    const lost = one!.pass(b.id, TEXTS[2]!);
    await until(() => b.log.length === 3);
    b.written(new Error('EPIPE'));
    expect(await lost).toBe('not-here');
  });

  it('no outcome in time: unavailable, once; a late one changes nothing', async () => {
    const b = seat('b', 'sent', { hold: true });
    await two!.take(b);
    expect(await one!.pass(b.id, TEXTS[0]!)).toBe('unavailable');
    expect(one!.figures).toMatchObject({ timedOut: 1, pending: 0 });
    b.written();
    await systemClock.sleep(50);
    expect(one!.figures).toMatchObject({ timedOut: 1, pending: 0, malformed: 0 });
  });

  it('what is under way is bounded, and refused at once beyond', async () => {
    const b = seat('b', 'sent', { hold: true });
    await two!.take(b);
    const outcomes: Promise<string>[] = [];
    let atOnce = 0;
    for (let i = 0; i < 33_000; i++) {
      const outcome = one!.pass(b.id, TEXTS[0]!);
      if (outcome === 'unavailable') atOnce++;
      else outcomes.push(Promise.resolve(outcome));
    }
    expect([outcomes.length, atOnce]).toEqual([32_768, 232]);
    await nats.kill();
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['unavailable']));
    expect(one!.figures.pending).toBe(0);
  });

  it('NATS away: local pairs go on, others are unavailable; back: all resumes, ids moved meanwhile included', async () => {
    const [a, b, moved] = [seat('a'), seat('b'), seat('m')];
    await one!.take(a);
    await two!.take(b);
    await one!.take(moved);
    await nats.kill();
    await until(() => !one!.figures.joined && !two!.figures.joined);
    expect(await one!.pass(a.id, TEXTS[0]!)).toBe('sent');
    expect(one!.pass(b.id, TEXTS[1]!)).toBe('unavailable');
    expect([one!.ready, two!.ready]).toEqual([true, true]);
    const [late, movedTo] = [seat('l'), seat('m')];
    expect(two!.take(late)).toBeUndefined();
    expect(two!.take(movedTo)).toBeUndefined();
    await nats.start();
    await until(() => one!.figures.joined && two!.figures.joined);
    expect(await one!.pass(b.id, TEXTS[2]!)).toBe('sent');
    expect(await one!.pass(late.id, TEXTS[3]!)).toBe('sent');
    expect([b.log, late.log]).toEqual([[TEXTS[2]], [TEXTS[3]]]);
    await until(() => moved.log.length > 0);
    expect([moved.log, movedTo.log]).toEqual([['taken over'], []]);
    expect(await one!.pass(idOf('m'), TEXTS[4]!)).toBe('sent');
    expect(movedTo.log).toEqual([TEXTS[4]]);
  });

  it('just after NATS was away nobody is said not to be here: others may be on their way back', async () => {
    await nats.kill();
    await until(() => !one!.figures.joined);
    await nats.start();
    await until(() => one!.figures.joined);
    expect(await one!.pass(idOf('x'), TEXTS[0]!)).toBe('unavailable');
    while ((await one!.pass(idOf('x'), TEXTS[0]!)) === 'unavailable') await systemClock.sleep(100);
    expect(await one!.pass(idOf('x'), TEXTS[0]!)).toBe('not-here');
  });

  it('a NATS that stalls: seats are taken all the same, messages are unavailable in time', async () => {
    const b = seat('b');
    await two!.take(b);
    await nats.stall();
    scope.defer(() => nats.resume());
    await two!.take(seat('c'));
    expect(await one!.pass(b.id, TEXTS[0]!)).toBe('unavailable');
  });

  it('nonsense from NATS is counted and changes nothing', async () => {
    const b = seat('b');
    await two!.take(b);
    const evil = await stranger();
    const to = `wayleave.1.to.${b.id}`;
    const waits = 'wayleave.1.for.AAAAAAAAAAAAAAAA.1';
    const nonsense: readonly (readonly [string, string | Uint8Array, string?])[] = [
      [to, TEXTS[0]!],
      [to, TEXTS[0]!, 'somewhere.else'],
      [to, TEXTS[0]!, 'wayleave.1.for.AAAAAAAAAAAAAAAA.outcomes'],
      [to, 'no frame', waits],
      [to, new Uint8Array([0xff, 0xfe, 0, 1]), waits],
      [to, frame('x'.repeat(100_000)), waits],
      [to, `${TEXTS[0]} `, waits],
      [to, TEXTS[0]!.replace('127.0.0.1', '","box":"'), waits],
      ['wayleave.1.claims', ''],
      ['wayleave.1.claims', '[]'],
      ['wayleave.1.claims', '{"by":"AAAAAAAAAAAAAAAA","claims":[["x",1,"AAAAbbbb0000__--.CCCC__--"]]}'],
      ['wayleave.1.claims', JSON.stringify({ by: 'A'.repeat(16), claims: [[b.id, 2 ** 53, b.way]] })],
      ['wayleave.1.claims', JSON.stringify({ by: 'A'.repeat(16), claims: [[b.id, -1, b.way]] })],
      [
        'wayleave.1.claims',
        JSON.stringify({ by: 'A'.repeat(16), claims: Array(201).fill([b.id, 1, b.way]) }),
      ],
      ['wayleave.1.claims', JSON.stringify({ by: 'A'.repeat(16), claims: [[b.id, 2 ** 50]] })],
      ['wayleave.1.claims', JSON.stringify({ by: 'A'.repeat(16), claims: [] }), 'not.ours'],
    ];
    for (const [subject, payload, reply] of nonsense)
      evil.publish(subject, payload, reply === undefined ? {} : { reply });
    await evil.flush();
    await until(() => two!.figures.malformed === nonsense.length);
    expect(b.log).toEqual([]);
    expect(await one!.pass(b.id, TEXTS[1]!)).toBe('sent');
    expect(b.log).toEqual([TEXTS[1]]);
  });
});

describeNats('backplanes at two NATS servers that are one cluster', () => {
  let scope = new Scope();
  afterEach(async () => {
    await scope.close();
    scope = new Scope();
  });

  it('one id, one seat; and when one NATS server dies, its processes go to the other', async () => {
    const routes = [await freePort(), await freePort()];
    const cluster = (index: number) =>
      `cluster { name: c, listen: "127.0.0.1:${routes[index]}", routes: ["nats://127.0.0.1:${routes[1 - index]}"] }`;
    const [east, west] = [await startNats(scope, cluster(0)), await startNats(scope, cluster(1))];
    const one = await joinedBackplane(scope, east, west);
    const two = await joinedBackplane(scope, west, east);
    const b = seat('b');
    await two.take(b);
    // what one NATS server knows the other learns a little later
    const reached = async (text: string) => {
      while ((await one.pass(b.id, text)) !== 'sent') await systemClock.sleep(10);
    };
    await reached(TEXTS[0]!);
    for (let round = 0; round < 20; round++) {
      const rivals = [seat('r'), seat('r')] as const;
      await Promise.all([one.take(rivals[0]), two.take(rivals[1])]);
      await until(() => rivals.some(({ log }) => log.length > 0));
      await systemClock.sleep(5);
      expect(rivals.flatMap(({ log }) => log)).toEqual(['taken over']);
      one.leave(rivals[0]);
      two.leave(rivals[1]);
    }
    await west.kill();
    await until(() => !two.figures.joined);
    await until(() => two.figures.joined);
    await reached(TEXTS[1]!);
    expect(b.log).toEqual([TEXTS[0], TEXTS[1]]);
  });
});
