// `wayleave ping` as users and scripts meet it: two real processes, no server.
import { describe, expect, it } from 'vitest';
import { cli, run } from './cli.js';

describe('wayleave ping', () => {
  it('measures round trips and sums them up', async () => {
    await using node = cli('node', '--no-port-mapping', '--json');
    const { address, id } = await node.event('listening');
    const { code, events } = await run(
      ...['ping', address as string, '--count', '3', '--interval', '0.01', '--json'],
    );
    expect(code).toBe(0);
    expect(events.map(({ event }) => event)).toEqual(['connected', 'pong', 'pong', 'pong', 'summary']);
    expect(events[0]).toMatchObject({ peer: id, strategy: 'direct' });
    const times = events.filter(({ event }) => event === 'pong').map(({ ms }) => ms as number);
    expect(events.filter(({ event }) => event === 'pong').map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const { sent, received, minMs, avgMs, maxMs } = events.at(-1)!;
    expect({ sent, received }).toEqual({ sent: 3, received: 3 });
    expect(minMs).toBe(Math.min(...times));
    expect(maxMs).toBe(Math.max(...times));
    expect(avgMs).toBeCloseTo(times.reduce((a, b) => a + b) / 3, 2);
    expect(node.events.some(({ event }) => event === 'message')).toBe(false); // the pipe answers, not the program
  });

  it('says it in lines for people', async () => {
    await using node = cli('node', '--no-port-mapping', '--json');
    const { address } = await node.event('listening');
    const { code, lines } = await run('ping', address as string, '--count', '1');
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^pong from \w{8}… by direct: seq=1 time=[\d.]+ ms$/);
    expect(lines.at(-1)).toMatch(/^1 sent, 1 received by direct; min\/avg\/max = /);
  });

  it('sums up what it has when it is interrupted or the node goes', async () => {
    await using node = cli('node', '--no-port-mapping', '--json');
    const { address } = await node.event('listening');
    await using first = cli('ping', address as string, '--count', '1000', '--interval', '60', '--json');
    await first.event('pong');
    first.child.kill('SIGINT');
    expect(await first.exit).toBe(130);
    expect(first.events.at(-1)).toMatchObject({ event: 'summary', sent: 1, received: 1 });

    await using second = cli('ping', address as string, '--count', '1000', '--interval', '0.01', '--json');
    await second.event('pong');
    node.child.kill('SIGKILL');
    expect(await second.exit).toBe(1);
    await second.event('summary');
    expect(second.events.at(-1)).toMatchObject({ event: 'failed', code: 'connection-lost' });
  });

  it('refuses a wrong count as wrong usage', async () => {
    const { code, stderr } = await run('ping', 'wl1x', '--count', '0');
    expect(code).toBe(2);
    expect(stderr).toContain('--count');
  });
});
