// The floors of docs/architecture.md, held to: the tables in architecture/floors.ts are the truth.
import { describe, expect, it } from 'vitest';
import { FLOORS, PACKAGES } from './architecture/floors.js';
import * as rules from './architecture/rules.js';
import { readSource, readTree } from './architecture/source.js';

const house = readTree('src', 'signalling-server');

describe('the house', () => {
  it('is read: files, imports as values and as types, nothing missed', () => {
    expect(house.length).toBeGreaterThan(50);
    const paths = new Set(house.map(({ path }) => path));
    const ours = house
      .flatMap(({ path, imports }) => imports.map(({ to }) => ({ path, to })))
      .filter(({ to }) => to.startsWith('src/'));
    expect(ours.length).toBeGreaterThan(200);
    expect(ours.filter(({ to }) => !paths.has(to))).toEqual([]);
    expect(rules.reachedFrom('src/index.ts', house).size).toBeGreaterThan(20);
  });

  it('has imports that run downward only', () => expect(rules.upwardImports(house)).toEqual([]));
  it('has no file that needs itself', () => expect(rules.fileCycles(house)).toEqual([]));
  it('has no room that needs itself', () => expect(rules.roomCycles(house)).toEqual([]));
  it('opens sockets in few places', () => expect(rules.strayNetwork(house)).toEqual([]));
  it('uses packages where they belong', () => expect(rules.strayPackages(house)).toEqual([]));
  it('prints from the command line alone', () => expect(rules.strayPrinting(house)).toEqual([]));
  it('gives users neither command line nor server', () => expect(rules.foreignToUsers(house)).toEqual([]));
});

// The twins: each rule sees what it is there to see.
const house1 = (files: Record<string, string>) =>
  Object.entries(files).map(([path, text]) => readSource(path, text));

describe('a fault', () => {
  it.each([
    ['upward', 'src/net/a.ts', `import { x } from '../pipe/pipe.js';`],
    ['upward, as a type', 'src/net/a.ts', `import type { X } from '../pipe/pipe.js';`],
    ['upward, in an import type', 'src/net/a.ts', `type X = import('../pipe/pipe.js').Pipe;`],
    ['upward, passed on', 'src/net/a.ts', `export * from '../pipe/pipe.js';`],
    ['upward, later', 'src/net/a.ts', `const x = await import('../pipe/pipe.js');`],
    ['sideways', 'src/net/a.ts', `import '../identity/keys.js';`],
    ['sideways', 'src/turn/client.ts', `import { x } from '../signalling/messages.js';`],
    ['sideways on the ground', 'src/events.ts', `import { x } from './errors.js';`],
    ['options that use a key', 'src/options.ts', `import { x } from './identity/keys.js';`],
    ['from the profile to the probe', 'src/nat/profile.ts', `import { x } from './probe.js';`],
    ['from an address to a probe', 'src/address/a.ts', `import { x } from '../nat/probe.js';`],
    [
      'the server’s use of the client',
      'signalling-server/a.ts',
      `import { x } from '../src/signalling/websocket.js';`,
    ],
    [
      'the server’s use of addresses',
      'signalling-server/a.ts',
      `import { x } from '../src/address/node-address.js';`,
    ],
    ['the library’s use of the server', 'src/node.ts', `import { x } from '../signalling-server/index.js';`],
    [
      'the server at the start of the CLI',
      'src/cli/main.ts',
      `import { x } from '../../signalling-server/index.js';`,
    ],
    ['of tests', 'src/net/a.ts', `import { x } from '../../test/fake-clock.js';`],
    ['no room', 'src/utils/a.ts', ''],
  ])('import: %s', (_, path, text) => {
    expect(rules.upwardImports(house1({ [path]: text }))).toHaveLength(1);
  });

  it.each([
    ['downward', 'src/pipe/a.ts', `import { x } from '../net/clock.js';`],
    ['in the room', 'src/pipe/a.ts', `import { x } from './b.js';`],
    ['of the profile, by an address', 'src/address/a.ts', `import { x } from '../nat/profile.js';`],
    [
      'of an identity, as a type, by the options',
      'src/options.ts',
      `type I = import('./identity/keys.js').Identity;`,
    ],
    [
      'of the server, later, by the CLI',
      'src/cli/server.ts',
      `await import('../../signalling-server/index.js');`,
    ],
    ['of the wire, by the server', 'signalling-server/turn/a.ts', `import '../../src/signalling/frames.js';`],
  ])('is not: import %s', (_, path, text) => {
    expect(rules.upwardImports(house1({ [path]: text }))).toEqual([]);
  });

  it('circle of files; types alone make none', () => {
    const circle = (how: string) =>
      rules.fileCycles(
        house1({
          'src/net/a.ts': `import { b } from './b.js';`,
          'src/net/b.ts': `import { c } from './c.js';`,
          'src/net/c.ts': `${how} './a.js';`,
        }),
      );
    expect(circle('import { a } from')).toEqual([
      'src/net/a.ts -> src/net/b.ts -> src/net/c.ts -> src/net/a.ts',
    ]);
    expect(circle('import')).toHaveLength(1);
    expect(circle('export * from')).toHaveLength(1);
    expect(circle('import type { A } from')).toEqual([]);
    expect(circle('import { type A, type B } from')).toEqual([]);
    expect(circle('export type { A } from')).toEqual([]);
  });

  it('circle of rooms, types included', () => {
    const files = {
      'src/turn/a.ts': `import { x } from '../signalling/b.js';`,
      'src/signalling/c.ts': `import type { X } from '../turn/d.js';`,
    };
    expect(rules.roomCycles(house1(files))).toEqual(['src/turn/ -> src/signalling/ -> src/turn/']);
  });

  it.each([
    ['src/strategies/a.ts', `import { connect } from 'node:net';`],
    ['src/strategies/a.ts', `import { connect } from 'net';`],
    ['src/port-mapping/a.ts', `import { createSocket } from 'node:dgram';`],
    ['src/pipe/pipe.ts', `import tls from 'node:tls';`],
    ['src/address/a.ts', `import { lookup } from 'node:dns/promises';`],
    ['src/net/a.ts', `await import('node:dns');`],
  ])('socket: in %s, %s', (path, text) => {
    expect(rules.strayNetwork(house1({ [path]: text }))).toHaveLength(1);
  });

  it('is not a socket: in its room, or its type', () => {
    const files = {
      'src/net/a.ts': `import { connect } from 'node:net';`,
      'src/pipe/handshake.ts': `import { connect } from 'node:tls';`,
      'src/strategies/a.ts': `import type { Socket } from 'node:net';`,
    };
    expect(rules.strayNetwork(house1(files))).toEqual([]);
  });

  it.each([
    ['src/node.ts', `import 'commander';`],
    ['src/pipe/a.ts', `import ws from 'ws';`],
    ['src/net/a.ts', `import { chunk } from 'lodash';`],
    ['src/signalling/mqtt.ts', `import mqtt from 'mqtt';`],
    ['src/net/a.ts', `import x from '@scope/name/deep';`],
  ])('package: in %s, %s', (path, text) => {
    expect(rules.strayPackages(house1({ [path]: text }))).toHaveLength(1);
    expect(
      rules.strayPackages(house1({ 'src/signalling/mqtt.ts': `await import('mqtt'); import 'ws';` })),
    ).toEqual([]);
  });

  it.each(['console.log(1)', 'process.stdout.write("")', 'f(process.stderr)'])('print: %s', text => {
    expect(rules.strayPrinting(house1({ 'src/pipe/a.ts': text }))).toHaveLength(1);
    expect(rules.strayPrinting(house1({ 'src/cli/a.ts': text, 'src/pipe/a.ts': `// ${text}` }))).toEqual([]);
  });

  it('that `import "wayleave"` would load the server, however long the way', () => {
    const files = {
      'src/index.ts': `export { createNode } from './node.js';`,
      'src/node.ts': `const later = () => import('./x/y.js'); import type { S } from './cli/main.js';`,
      'src/x/y.ts': `import '../../signalling-server/index.js';`,
    };
    expect(rules.foreignToUsers(house1(files))).toEqual(['signalling-server/index.ts']);
  });
});

it('the tables name rooms by prefix, so that a room of tomorrow has its floor today', () => {
  for (const path of ['src/turn/client.ts', 'src/signalling/mqtt.ts', 'src/strategies/punch-plan.ts']) {
    expect(FLOORS[rules.roomOf(path)!]).toBeGreaterThan(2);
  }
  expect(rules.roomOf('src/nat/profile.ts')).toBe('src/nat/profile.ts');
  expect(rules.roomOf('src/nat/probe.ts')).toBe('src/nat/');
  expect(PACKAGES.zod).toBeDefined();
});
