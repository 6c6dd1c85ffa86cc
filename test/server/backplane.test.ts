// What every backplane must do, whatever stands behind it.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Backplane, EmbeddedBackplane } from '../../signalling-server/backplane/backplane.js';
import { seatWay } from '../../signalling-server/backplane/seat-table.js';
import { Scope } from '../../src/net/scope.js';
import { requirement } from '../requirements.js';
import { joinedBackplane, startNats } from './nats.js';
import { frame, idOf, seat } from './seats.js';

const INSTANCE = 'AAAAAAAAAAAAAAAA';
const BACKPLANES = [
  ['embedded', await requirement(), async () => new EmbeddedBackplane()],
  ['NATS', await requirement('nats'), async (scope: Scope) => joinedBackplane(scope, await startNats(scope))],
] as const;

for (const [name, describeIt, create] of BACKPLANES) {
  describeIt(`the ${name} backplane`, () => {
    let scope: Scope;
    let backplane: Backplane;
    beforeEach(async () => {
      scope = new Scope();
      backplane = scope.use(await create(scope));
    });
    afterEach(() => scope.close());

    it('passes a frame to who holds the id, and to nobody else', async () => {
      const [a, b] = [seat('a'), seat('b')];
      await backplane.take(a);
      await backplane.take(b);
      expect(await backplane.pass(b.id, frame('hello'))).toBe('sent');
      expect([a.log, b.log]).toEqual([[], [frame('hello')]]);
    });

    it('says who is not here: never seated, or gone', async () => {
      const a = seat('a');
      expect(await backplane.pass(a.id, frame('x'))).toBe('not-here');
      await backplane.take(a);
      backplane.leave(a);
      expect(await backplane.pass(a.id, frame('x'))).toBe('not-here');
      for (const id of ['constructor', '__proto__', ''])
        expect(await backplane.pass(id, frame('x'))).toBe('not-here');
    });

    it('passes on what the seat says of itself', async () => {
      await backplane.take(seat('s', 'too-slow'));
      expect(await backplane.pass(idOf('s'), frame('x'))).toBe('too-slow');
    });

    it('a later seat takes over; the earlier one leaving changes nothing', async () => {
      const [former, latter] = [seat('a'), seat('a')];
      await backplane.take(former);
      await backplane.take(latter);
      expect(former.log).toEqual(['taken over']);
      backplane.leave(former);
      expect(await backplane.pass(latter.id, frame('x'))).toBe('sent');
      expect(latter.log).toEqual([frame('x')]);
    });

    it('a node sits there once for each of its ways; a message comes to one of them', async () => {
      const [one, other] = ['one', 'other'].map(host => seat('a', 'sent', { way: seatWay(INSTANCE, host) }));
      await backplane.take(one!);
      await backplane.take(other!);
      expect(await backplane.pass(idOf('a'), frame('x'))).toBe('sent');
      expect([...one!.log, ...other!.log]).toEqual([frame('x')]);
      backplane.leave(other!);
      expect(await backplane.pass(idOf('a'), frame('y'))).toBe('sent');
      expect(one!.log.at(-1)).toBe(frame('y'));
    });

    it('who comes by a way again displaces that seat; another process with the same key, every one', async () => {
      const ways = ['one', 'other', 'One'].map(host => seatWay(INSTANCE, host));
      const [one, other, again] = ways.map(way => seat('a', 'sent', { way }));
      for (const each of [one!, other!, again!]) await backplane.take(each);
      expect([one!.log, other!.log]).toEqual([['taken over'], []]);
      const stranger = seat('a', 'sent', { way: seatWay('BBBBBBBBBBBBBBBB', 'other') });
      await backplane.take(stranger);
      expect([other!.log, again!.log, stranger.log]).toEqual([['taken over'], ['taken over'], []]);
    });

    it('of more ways than an address may list, the oldest gives way', async () => {
      const seats = [1, 2, 3, 4, 5].map(n => seat('a', 'sent', { way: seatWay(INSTANCE, `host${n}`) }));
      for (const each of seats) await backplane.take(each);
      expect(seats.map(({ log }) => log.length)).toEqual([1, 0, 0, 0, 0]);
    });

    it('alone, it is ready, and nothing is under way', () => {
      expect(backplane.ready).toBe(true);
      expect(backplane.figures).toMatchObject({ joined: true, pending: 0, timedOut: 0, malformed: 0 });
    });
  });
}
