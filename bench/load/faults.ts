// A history's verdict as figures: what must be nothing, and what may be.
import type { Figure } from '../figures.js';
import type { Verdict } from './history.js';

export function verdictFigures(verdict: Verdict): Figure[] {
  const count = (name: string, value: number): Figure => ({ name, value, unit: '' });
  const none = (name: string, value: number): Figure => ({
    ...count(name, value),
    limit: { of: 'value', most: 0 },
  });
  return [
    count('messages sent in all', verdict.sent),
    count('arrived', verdict.delivered),
    count('reported as not delivered', verdict.reported),
    count('unanswered, the sender’s connection having ended', verdict.abandoned),
    count('acknowledged, under way when the recipient’s connection ended', verdict.lostWithRecipient),
    none('arrived twice', verdict.doubled),
    none('acknowledged and lost', verdict.lost),
    none('never answered', verdict.unanswered),
  ];
}
