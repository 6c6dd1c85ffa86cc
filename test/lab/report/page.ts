// The matrix as one page that needs nothing else: no script from elsewhere, no font, no network. Made to be
// looked at and to be sent to somebody; it follows the reader's light or dark.
import { STRATEGIES, type StrategyName } from '../expectations.js';
import { quantile } from '../matrix/result.js';
import { htmlText } from './html-text.js';
import { matrixTable, neighbourTable } from './matrix-table.js';
import { DETAILS_SCRIPT, STYLE } from './page-style.js';
import { type Report, totals } from './report.js';
import { timesChart } from './times-chart.js';

const WORDS: Readonly<Record<StrategyName, string>> = {
  direct: 'dialled straight',
  reverse: 'the other side dialled back',
  punch: 'both dialled at once',
  relay: 'through the server',
};

export function renderPage(report: Report): string {
  const { surprises, ...sums } = totals(report);
  const roundTripMs = 2 * report.oneWayMs;
  const all = report.cells.flatMap(({ ms }) => ms);
  const median = quantile(all, 0.5);
  const inTrips =
    median !== null && roundTripMs > 0 ? `${(median / roundTripMs).toFixed(1)} round trips` : '';
  const figures: [string, string, string][] = [
    [
      share(sums.connectedOfPossible, sums.possible),
      'connected',
      `${sums.connectedOfPossible} of ${sums.possible} runs where a connection is possible`,
    ],
    [median === null ? '–' : `${Math.round(median)} ms`, 'median to connect', inTrips],
    [
      String(report.cells.length),
      'cells',
      `${report.kinds.length} kinds of NAT, both ways, ${report.runs} runs each`,
    ],
    [
      String(surprises.length),
      surprises.length === 1 ? 'surprise' : 'surprises',
      surprises.length === 0 ? 'every cell as expected' : 'cells other than expected',
    ],
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wayleave: who reaches whom</title>
<style>${STYLE}</style>
<main>
<header>
  <p class="eyebrow">wayleave ${htmlText(report.version)} · NAT laboratory</p>
  <h1>Who reaches whom</h1>
  <p class="lead">Real programs behind real kernel NATs, one <code>wayleave connect</code> a run. Rows connect to
  columns; the colour is the strategy that won, the number the median time to connect in milliseconds.</p>
  <p class="facts">round trip ${roundTripMs} ms · loss ${report.loss * 100} % · seed ${report.seed} ·
  ${htmlText(report.startedAt.slice(0, 16).replace('T', ' '))} UTC · ${Math.round(report.durationMs / 1000)} s ·
  Node.js ${htmlText(report.node)} · Linux ${htmlText(report.kernel)}</p>
</header>
<section class="figures">
${figures.map(([value, name, note]) => `  <div><b>${value}</b><span>${name}</span><small>${note}</small></div>`).join('\n')}
</section>
<section>
  <ul class="legend">
${STRATEGIES.map(name => `    <li><i class="${name}"></i>${name}<small>${WORDS[name]}</small></li>`).join('\n')}
    <li><i class="none"></i>none<small>not possible, or not with what has landed</small></li>
    <li><i class="failed"></i>failed<small>should have worked</small></li>
  </ul>
  ${matrixTable(report)}
  <output id="details">Point at a cell to see what was tried there.</output>
</section>
<section>${neighbourTable(report)}</section>
${surpriseList(report)}
<section>
  <h2>Time to connect</h2>
  <p>Each dot is a run, from the call to the open, authenticated pipe; the bar is the median, and RTT
  a round trip between the two.</p>
  ${timesChart(report)}
</section>
<section>
  <h2>The kinds of NAT</h2>
  <table class="kinds"><thead><tr><th></th><th>kind</th><th>in the words of RFC 4787</th><th>who makes such</th></tr></thead><tbody>
${report.kinds.map(({ name, rfc4787, makers }, i) => `    <tr><td>${i + 1}</td><th>${htmlText(name)}</th><td>${htmlText(rfc4787)}</td><td>${htmlText(makers)}</td></tr>`).join('\n')}
  </tbody></table>
</section>
<footer>Repeat it on any Linux machine, without root:
<code>npm run lab -- --one-way-ms ${report.oneWayMs} --loss ${report.loss} --runs ${report.runs} --seed ${report.seed}</code></footer>
</main>
<script>${DETAILS_SCRIPT}</script>
</html>
`;
}

function surpriseList(report: Report): string {
  const { surprises } = totals(report);
  if (surprises.length === 0) return '';
  const items = surprises.map(({ a, b, expected, reason, failures }) => {
    const told = failures.map(
      ({ message, kept }) => `<br><small>${htmlText(message)}${kept ? ` · ${htmlText(kept)}` : ''}</small>`,
    );
    return `<li><b>${htmlText(a)} → ${htmlText(b)}</b>: expected ${expected.join(' or ') || 'no connection'}, ${htmlText(reason)}${told.join('')}</li>`;
  });
  return `<section><h2>Other than expected</h2><ul class="surprises">${items.join('\n')}</ul></section>`;
}

const share = (part: number, whole: number) => (whole === 0 ? '–' : `${Math.round((100 * part) / whole)} %`);
