// The page of results: what it says, that it needs nothing from elsewhere, and that a browser shows it.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { type Ability, expectation } from '../expectations.js';
import { cellOf, type Run } from '../matrix/result.js';
import { DEFAULT_KINDS, natKind } from '../nat-kinds.js';
import { renderPage } from './page.js';
import type { Report } from './report.js';
import { terminalReport } from './terminal.js';

const describeChromium = await requirement('chromium');

/** A matrix in which everything has landed and one cell failed, without running anything. */
function sampleReport(): Report {
  const all = new Set<Ability>(['direct', 'reverse', 'punch', 'relay', 'held-mapping', 'birthday']);
  const cells = DEFAULT_KINDS.flatMap((a, i) =>
    DEFAULT_KINDS.map((b, j) => {
      const expected = expectation(natKind(a), natKind(b), all);
      const lost = a === 'firewall' && b === 'symmetric-up';
      const runs = [0, 1, 2].map(
        (k): Run => ({
          a,
          b,
          connected: !lost,
          strategy: lost ? null : expected.strategies[0]!,
          ms: lost ? null : 100 + 17 * i + 23 * j + 7 * k,
          readyMs: 300,
          attempts: [{ strategy: 'direct', outcome: 'skipped', reason: 'behind-nat', ms: 0 }],
          failure: lost ? 'connect-failed: <no way>' : null,
          kept: lost ? 'lab-results/failures/example' : null,
        }),
      );
      return cellOf(a, b, runs, expected);
    }),
  );
  return {
    cells,
    oneWayMs: 20,
    loss: 0.01,
    runs: 3,
    seed: 1,
    startedAt: '2025-01-02T03:04:05.000Z',
    durationMs: 300_000,
    node: 'v20.19.0',
    kernel: '6.1.0',
    version: '0.0.0',
    kinds: DEFAULT_KINDS.map(name => ({ name, ...natKind(name) })),
    neighbourhoods: [{ name: 'same-lan', words: 'two hosts on one LAN' }],
  };
}

describe('the page of results', () => {
  const page = renderPage(sampleReport());
  test('has a cell for every two kinds, coloured by what won', () => {
    expect(page.match(/data-details=/g)).toHaveLength(DEFAULT_KINDS.length ** 2);
    for (const name of ['direct', 'reverse', 'punch', 'relay', 'failed'])
      expect(page).toContain(`<td class="${name}`);
  });
  test('names what was other than expected, with where its logs are, and lets no text become markup', () => {
    expect(page).toContain('firewall → symmetric-up');
    expect(page).toContain('lab-results/failures/example');
    expect(page).toContain('&lt;no way&gt;');
    expect(page).not.toContain('<no way>');
  });
  test('needs nothing from elsewhere', () => {
    expect(page).not.toMatch(/(src|href)=|@import|url\(|https?:\/\//);
  });
  test('shows each connected run as a dot', () => {
    const connected = sampleReport().cells.reduce((sum, cell) => sum + cell.connected, 0);
    expect(page.match(/<circle /g)).toHaveLength(connected);
  });
  test('a matrix in which nothing connected has a page, too', () => {
    const report = sampleReport();
    const cells = report.cells.map(({ a, b }) => cellOf(a, b, [], { strategies: [], reason: 'nothing' }));
    expect(renderPage({ ...report, cells })).toContain('No run connected.');
  });
});

describe('the table in the terminal', () => {
  test('names every kind, the surprise and its logs', () => {
    const text = terminalReport(sampleReport());
    for (const kind of DEFAULT_KINDS) expect(text).toContain(kind);
    expect(text).toContain('! firewall to symmetric-up: expected punch');
    expect(text).toContain('lab-results/failures/example');
  });
});

describeChromium('the page in a browser', () => {
  const FLAGS = [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
    ...['--disable-background-networking', '--disable-component-update', '--window-size=1180,1600'],
  ];
  test('is laid out, its script runs, and it makes a picture', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'wayleave-page-'));
    try {
      const file = join(directory, 'lab.html');
      const picture = join(directory, 'lab.png');
      writeFileSync(file, renderPage(sampleReport()));
      const browse = (...extra: string[]) =>
        promisify(execFile)(
          'chromium',
          [...FLAGS, `--user-data-dir=${join(directory, 'profile')}`, ...extra, `file://${file}`],
          { maxBuffer: 16 << 20, timeout: 60_000 },
        );
      const { stdout } = await browse('--dump-dom');
      expect(stdout).toContain('data-ready="yes"'); // set by the page's own script
      await browse(`--screenshot=${picture}`);
      expect(statSync(picture).size).toBeGreaterThan(50_000); // a blank page makes a tenth of that
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 120_000);
});
