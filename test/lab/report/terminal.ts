// The matrix as a table for the terminal: one column a kind by number, so that it fits; colour by strategy.
import Table from 'cli-table3';
import { pc } from '../../../src/cli/colours.js';
import { type Cell, quantile, winner } from '../matrix/result.js';
import { type Report, totals } from './report.js';

const PAINT: Readonly<Record<string, (text: string) => string>> = {
  direct: pc.green,
  reverse: pc.cyan,
  punch: pc.yellow,
  relay: pc.magenta,
};

export function terminalReport(report: Report): string {
  const { kinds, cells } = report;
  const table = new Table({
    head: ['from \\ to', ...kinds.map((_, i) => String(i + 1))],
    colAligns: ['left', ...kinds.map(() => 'center' as const)],
    style: { head: [], border: pc.isColorSupported ? ['gray'] : [], 'padding-left': 0, 'padding-right': 0 },
    chars: { 'mid-mid': '┼', 'left-mid': '├', 'right-mid': '┤' },
  });
  for (const [i, { name }] of kinds.entries()) {
    const row = kinds.map(to => cells.find(({ a, b }) => a === name && b === to.name));
    table.push([`${i + 1} ${name}`, ...row.map(cell => (cell ? cellText(cell) : ''))]);
  }
  const neighbours = report.neighbourhoods.map(({ name, words }) => {
    const cell = cells.find(({ a }) => a === name);
    return cell ? `${name.padEnd(22)} ${cellText(cell).replace('\n', ' ')}  ${pc.dim(words)}\n` : '';
  });
  return `${table}\n${neighbours.join('')}${legend(report)}\n`;
}

function cellText(cell: Cell): string {
  const won = winner(cell);
  const rate = `${cell.connected}/${cell.runs}`;
  const mark = cell.asExpected ? '' : pc.red('!');
  if (won === null)
    return `${cell.expected.length === 0 ? pc.dim('none') : pc.red('fail')}${mark}\n${pc.dim(rate)}`;
  const paint = PAINT[won] ?? String;
  return `${paint(won)}${mark}\n${cell.connected < cell.runs ? pc.red(rate) : pc.dim(rate)} ${Math.round(cell.msMedian!)}`;
}

function legend(report: Report): string {
  const { runs, connected, possible, connectedOfPossible, surprises, wins } = totals(report);
  const times = (strategy: string) =>
    report.cells.filter(cell => winner(cell) === strategy).flatMap(({ ms }) => ms);
  const lines = [
    `Each cell: the winning strategy, runs connected, median ms to connect. Round trip ${2 * report.oneWayMs} ms, loss ${report.loss * 100} %.`,
    `${connected} of ${runs} runs connected; ${connectedOfPossible} of ${possible} where a connection is possible.`,
    ...[...wins].map(([strategy, count]) => {
      const paint = PAINT[strategy] ?? String;
      const ms = times(strategy);
      return `  ${paint(strategy.padEnd(8))} ${String(count).padStart(4)} runs, median ${quantile(ms, 0.5)} ms, p90 ${quantile(ms, 0.9)} ms`;
    }),
  ];
  const told = report.cells.filter(({ explained }) => explained !== undefined);
  const right = told.filter(cell => cell.explained === winner(cell));
  if (told.length > 0)
    lines.push(`What wayleave explain foretold won in ${right.length} of ${told.length} cells.`);
  for (const cell of told.filter(each => !right.includes(each)))
    lines.push(pc.red(`! ${cell.a} to ${cell.b}: explain expected ${cell.explained ?? 'none'}`));
  for (const cell of surprises) {
    const expected = cell.expected.join(' or ') || 'no connection';
    lines.push(pc.red(`! ${cell.a} to ${cell.b}: expected ${expected} (${cell.reason})`));
    for (const { message, kept } of cell.failures) lines.push(`    ${message}${kept ? `  [${kept}]` : ''}`);
  }
  if (surprises.length === 0) lines.push(pc.green('Every cell is as test/lab/expectations.ts has it.'));
  return lines.join('\n');
}
