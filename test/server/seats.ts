// Seats and frames for tests of backplanes.
import type { Seat } from '../../signalling-server/backplane/backplane.js';
import { seatWay } from '../../signalling-server/backplane/seat-table.js';

/** An id, by its first letter. */
export const idOf = (letter: string): string => letter.repeat(52);

/** A finished delivery with a box of its own. */
export function frame(text: string, from = 'a'): string {
  const box = Buffer.from(text).toString('base64');
  return `{"type":"deliver","from":"${idOf(from)}","seenFrom":"127.0.0.1","box":"${box}"}`;
}

/** A seat that notes what happens to it. Frames count as written at once, or when `written` is called. */
export function seat(
  letter: string,
  answer: ReturnType<Seat['push']> = 'sent',
  { hold = false, way = seatWay(undefined, 'h') } = {},
) {
  const log: string[] = [];
  const unwritten: ((error?: Error) => void)[] = [];
  return {
    id: idOf(letter),
    way,
    log,
    /** Lets the kernel take, or refuse, what was held. */
    written(error?: Error) {
      for (const onWritten of unwritten.splice(0)) onWritten(error);
    },
    push(text: string, onWritten?: (error?: Error) => void) {
      log.push(text);
      if (answer === 'sent' && onWritten) {
        if (hold) unwritten.push(onWritten);
        else onWritten();
      }
      return answer;
    },
    takenOver: () => void log.push('taken over'),
  } satisfies Seat & Record<string, unknown>;
}
