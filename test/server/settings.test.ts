// What an option of the server is called as a key, a flag and a variable, and how text becomes its value.
import { describe, expect, it } from 'vitest';
import { serverOptionsSchema } from '../../signalling-server/options.js';
import { readText, settingsOf } from '../../src/cli/server-settings.js';

describe('names', () => {
  const settings = settingsOf(serverOptionsSchema);
  const named = (key: string) => settings.find(setting => setting.key === key)!;

  it('one rule for all: key, flag and variable', () => {
    const names = ({ flag, variable }: (typeof settings)[number]) => [flag, variable];
    expect(names(named('connectionsPerIp'))).toEqual([
      '--connections-per-ip',
      'WAYLEAVE_SERVER_CONNECTIONS_PER_IP',
    ]);
    expect(names(named('publicHosts'))).toEqual(['--public-host', 'WAYLEAVE_SERVER_PUBLIC_HOSTS']);
    expect(names(named('trustedProxies'))).toEqual(['--trusted-proxy', 'WAYLEAVE_SERVER_TRUSTED_PROXIES']);
    expect(names(named('relay'))).toEqual(['--no-relay', 'WAYLEAVE_SERVER_RELAY']);
    expect(names(named('turn'))).toEqual([undefined, 'WAYLEAVE_SERVER_TURN']);
  });

  it('the flags that scripts depend on are there', () => {
    const flags = settings.map(({ flag }) => flag);
    for (const name of [
      'host',
      'port',
      'stun-port',
      'alternate-host',
      'public-host',
      'relay-ports',
      'no-relay',
      'tls-cert',
      'tls-key',
    ])
      expect(flags).toContain(`--${name}`);
  });

  it('no two are the same', () => {
    expect(new Set(settings.map(({ variable }) => variable)).size).toBe(settings.length);
    const flags = settings.flatMap(({ flag }) => flag ?? []);
    expect(new Set(flags).size).toBe(flags.length);
  });

  it.each([
    ['port', '7443', 7443],
    ['port', '0x10', '0x10'],
    ['stunPort', 'none', null],
    ['relay', 'false', false],
    ['relay', 'no', 'no'],
    ['relayPorts', '100-200', [100, 200]],
    ['publicHosts', 'a.example, b.example', ['a.example', 'b.example']],
    ['publicHosts', '', []],
    ['logLevel', 'info', 'info'],
    ['turn', '[{"urls":[]}]', [{ urls: [] }]],
    ['turn', '[', '['],
  ])('%s from the text %j', (key, text, value) => {
    expect(readText(named(key), text)).toEqual(value);
  });
});
