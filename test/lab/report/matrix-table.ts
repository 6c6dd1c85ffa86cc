// The matrix itself as an HTML table: a coloured cell each, with all there is to know about it in its title.
import { type Cell, winner } from '../matrix/result.js';
import { htmlText } from './html-text.js';
import type { Report } from './report.js';

/** Two nodes that share a place: a short list beneath the matrix. */
export function neighbourTable({ neighbourhoods, cells }: Report): string {
  const rows = neighbourhoods.map(({ name, words }) => {
    const cell = cells.find(({ a }) => a === name);
    return `<tr><th scope="row">${htmlText(name)}</th>${cellHtml(cell)}<td class="words">${htmlText(words)}</td></tr>`;
  });
  return rows.length === 0
    ? ''
    : `<h2>Neighbours</h2><table class="matrix neighbours">${rows.join('\n')}</table>`;
}

export function matrixTable({ kinds, cells }: Report): string {
  const at = new Map(cells.map(cell => [`${cell.a} ${cell.b}`, cell]));
  const head = kinds.map(({ name }) => `<th scope="col"><span>${htmlText(name)}</span></th>`).join('');
  const rows = kinds.map(({ name: a }) => {
    const row = kinds.map(({ name: b }) => cellHtml(at.get(`${a} ${b}`)));
    return `<tr><th scope="row">${htmlText(a)}</th>${row.join('')}</tr>`;
  });
  return `<div class="scroll"><table class="matrix"><thead><tr><td><small>from ↓ &nbsp; to →</small></td>${head}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function cellHtml(cell: Cell | undefined): string {
  if (!cell) return '<td></td>';
  const won = winner(cell);
  const kind = won ?? (cell.expected.length === 0 ? 'none' : 'failed');
  const rate =
    cell.connected === cell.runs || won === null ? '' : `<small>${cell.connected}/${cell.runs}</small>`;
  const text = won === null ? (kind === 'none' ? '' : '✕') : `${Math.round(cell.msMedian!)}${rate}`;
  const classes = [kind, ...(cell.asExpected ? [] : ['surprise']), ...(cell.a === cell.b ? ['self'] : [])];
  return `<td class="${classes.join(' ')}" tabindex="0" data-details="${htmlText(details(cell, won))}">${text}</td>`;
}

/** Lines for the panel beneath the matrix. */
function details(cell: Cell, won: string | null): string {
  const { a, b, connected, runs, msMedian, msP90, expected, reason, attempts } = cell;
  const outcome = won === null ? 'no connection' : `${won}, median ${msMedian} ms, p90 ${msP90} ms`;
  const tried = attempts.map(
    attempt => `${attempt.strategy} ${attempt.outcome} (${attempt.reason}, ${Math.round(attempt.ms)} ms)`,
  );
  return [
    `${a} → ${b}: ${outcome}; ${connected} of ${runs} runs`,
    `expected: ${expected.join(' or ') || 'none'}, ${reason}`,
    `tried: ${tried.join(' · ') || 'nothing'}`,
  ].join('\n');
}
