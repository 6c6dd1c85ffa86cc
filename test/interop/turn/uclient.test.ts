// coturn's own test client against our relay: a foreign client, with the shared secret of the REST convention.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../../signalling-server/turn/relay.js';
import { parseTurnUrl } from '../../../src/turn/turn-server.js';
import { requirement } from '../../requirements.js';
import { startRelay } from '../../server/turn-raw.js';
import { TLS_CERTIFICATE, TLS_KEY } from './certificate.js';

const SECRET = 'shared-secret';
const MESSAGES = 10;

const describeCoturn = await requirement('coturn');

async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      text += chunk;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), 25_000);
  await once(child, 'close');
  clearTimeout(timer);
  return text;
}

describeCoturn('turnutils_uclient and our relay', () => {
  let relay: Relay;
  let port: number;
  let tlsPort: number;
  beforeAll(async () => {
    relay = await startRelay({ secret: SECRET, tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } });
    port = parseTurnUrl(relay.urls[0]!).port;
    tlsPort = parseTurnUrl(relay.urls[2]!).port;
  });
  afterAll(() => relay.close());

  const uclient = (at: number, ...flags: string[]) =>
    run('turnutils_uclient', [
      ...['-p', String(at), '-u', 'alice', '-W', SECRET, '-n', String(MESSAGES)],
      ...(flags.includes('-z') ? flags : [...flags, '-z', '5']),
      '127.0.0.1',
    ]);

  /** `tot_send_msgs=20, tot_recv_msgs=20`, the last of its reports. */
  function totals(output: string): { sent: number; received: number } {
    const [, sent, received] =
      [...output.matchAll(/start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(-1) ?? [];
    if (sent === undefined) throw new Error(`no totals:\n${output.slice(-2_000)}`);
    return { sent: Number(sent), received: Number(received) };
  }

  // With RTP's pairs of ports (EVEN-PORT, RESERVATION-TOKEN) where -c is missing. Over TLS at its usual pace, 20 ms: when
  // messages come closer together this client overlooks some, from coturn's server just as from ours.
  it.each([
    ['UDP', () => uclient(port, '-y', '-s')],
    ['TCP', () => uclient(port, '-t', '-y', '-s', '-c')],
    ['TLS', () => uclient(tlsPort, '-t', '-S', '-y', '-s', '-c', '-z', '20')],
    ['RFC 6062 over TCP', () => uclient(port, '-t', '-T', '-y')],
    ['RFC 6062 over TLS', () => uclient(tlsPort, '-t', '-T', '-S', '-y')],
    ['UDP, with extra requests', () => uclient(port, '-y', '-s', '-G')],
  ] as const)(
    '%s: every message comes back',
    async (_, start) => {
      const { sent, received } = totals(await start());
      expect(sent).toBeGreaterThanOrEqual(MESSAGES);
      expect(received).toBe(sent);
    },
    60_000,
  );

  // It draws channel numbers from 0x4000 to 0x7FFF (RFC 5766); RFC 8656 ends at 0x4FFF. So three draws of four
  // must be refused, and the fourth must serve: on average every fourth run gets through.
  it('channels: numbers above 0x4FFF are refused as a bad request, those below relay', async () => {
    let refused = 0;
    let relayed = 0;
    for (let i = 0; i < 60 && (refused === 0 || relayed === 0); i++) {
      const output = await uclient(port, '-c', '-e', '127.0.0.1', '-r', String(port));
      if (/channel bind: error 400/.test(output)) refused++;
      else relayed++;
    }
    expect([refused > 0, relayed > 0]).toEqual([true, true]);
  }, 120_000);
});
