// What every backplane must do, whatever stands behind it.
import { describe, expect, it } from 'vitest';
import { type Backplane, EmbeddedBackplane, type Seat } from '../../signalling-server/backplane.js';

const BACKPLANES: readonly (readonly [string, () => Backplane])[] = [
  ['embedded', () => new EmbeddedBackplane()],
];

function seat(id: string, answer: ReturnType<Seat['push']> = 'sent') {
  const log: string[] = [];
  return {
    id,
    log,
    push: (frame: string) => {
      log.push(frame);
      return answer;
    },
    takenOver: () => void log.push('taken over'),
  };
}

describe.each(BACKPLANES)('the %s backplane', (_, create) => {
  it('passes a frame to who holds the id, and to nobody else', async () => {
    await using backplane = create();
    const [a, b] = [seat('a'), seat('b')];
    backplane.take(a);
    backplane.take(b);
    expect(await backplane.pass('b', 'hello')).toBe('sent');
    expect([a.log, b.log]).toEqual([[], ['hello']]);
  });

  it('says who is not here: never seated, or gone', async () => {
    await using backplane = create();
    const a = seat('a');
    expect(await backplane.pass('a', 'x')).toBe('not-here');
    backplane.take(a);
    backplane.leave(a);
    expect(await backplane.pass('a', 'x')).toBe('not-here');
    for (const id of ['constructor', '__proto__', '']) expect(await backplane.pass(id, 'x')).toBe('not-here');
  });

  it('passes on what the seat says of itself', async () => {
    await using backplane = create();
    backplane.take(seat('slow', 'too-slow'));
    expect(await backplane.pass('slow', 'x')).toBe('too-slow');
  });

  it('a later seat takes over; the earlier one leaving changes nothing', async () => {
    await using backplane = create();
    const [former, latter] = [seat('a'), seat('a')];
    backplane.take(former);
    backplane.take(latter);
    expect(former.log).toEqual(['taken over']);
    backplane.leave(former);
    expect(await backplane.pass('a', 'x')).toBe('sent');
    expect(latter.log).toEqual(['x']);
  });
});
