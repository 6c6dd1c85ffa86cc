import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../../src/net/scope.js';

/** Releases that say their name, the second one slowly. */
function fill(scope: Scope, log: string[]): void {
  scope.defer(() => log.push('first'));
  scope.use({
    async [Symbol.asyncDispose]() {
      await sleep(5);
      log.push('second');
    },
  });
  scope.use({ [Symbol.dispose]: () => void log.push('third') });
}

describe('a scope', () => {
  it('releases in reverse order, each when the one before has finished', async () => {
    const log: string[] = [];
    const scope = new Scope();
    fill(scope, log);
    expect(scope.closed).toBe(false);
    await scope.close();
    expect(log).toEqual(['third', 'second', 'first']);
    expect(scope.closed).toBe(true);
  });

  it('releases once, however often it is closed; every close waits for the end', async () => {
    const log: string[] = [];
    const scope = new Scope();
    fill(scope, log);
    await Promise.all([scope.close(), scope.close(), scope[Symbol.asyncDispose]()]);
    await scope.close();
    expect(log).toHaveLength(3);
  });

  it('aborts its signal before it releases anything', async () => {
    const scope = new Scope();
    let abortedFirst: boolean | undefined;
    scope.defer(() => (abortedFirst = scope.signal.aborted));
    expect(scope.signal.aborted).toBe(false);
    await scope.close();
    expect(abortedFirst).toBe(true);
    expect(scope.signal.reason).toMatchObject({ code: 'closed' });
  });

  it('gives back what it owns: `use` returns its argument', () => {
    const resource = { [Symbol.dispose]() {}, name: 'socket' };
    expect(new Scope().use(resource)).toBe(resource);
  });

  it('prefers the asynchronous way of a resource that has both', async () => {
    const log: string[] = [];
    const scope = new Scope();
    scope.use({
      [Symbol.dispose]: () => void log.push('sync'),
      [Symbol.asyncDispose]: async () => void log.push('async'),
    });
    await scope.close();
    expect(log).toEqual(['async']);
  });
});

describe('a release that fails', () => {
  it('is reported and keeps nothing else from being released', async () => {
    const log: string[] = [];
    const errors: unknown[] = [];
    const scope = new Scope(error => errors.push(error));
    fill(scope, log);
    scope.defer(() => {
      throw new Error('thrown');
    });
    scope.defer(() => Promise.reject(new Error('rejected')));
    await scope.close();
    expect(errors.map(error => (error as Error).message)).toEqual(['rejected', 'thrown']);
    expect(log).toEqual(['third', 'second', 'first']);
  });

  it('is swallowed where nobody asked', async () => {
    const scope = new Scope();
    scope.defer(() => Promise.reject(new Error('rejected')));
    await expect(scope.close()).resolves.toBeUndefined();
  });
});

describe('a release that is taken back', () => {
  it('does not run', async () => {
    const log: string[] = [];
    const scope = new Scope();
    const takeBack = scope.defer(() => log.push('taken back'));
    scope.defer(() => log.push('kept'));
    takeBack();
    takeBack();
    await scope.close();
    expect(log).toEqual(['kept']);
  });

  it('does not run even if it is taken back by a release that ran before it', async () => {
    const log: string[] = [];
    const scope = new Scope();
    const takeBack = scope.defer(() => log.push('taken back'));
    scope.defer(() => takeBack());
    await scope.close();
    expect(log).toEqual([]);
  });

  it('is one of two, when the same function was given twice', async () => {
    let runs = 0;
    const release = () => void runs++;
    const scope = new Scope();
    scope.defer(release);
    scope.defer(release)();
    await scope.close();
    expect(runs).toBe(1);
  });
});

describe('a child', () => {
  it('closes with its parent, in its turn', async () => {
    const log: string[] = [];
    const parent = new Scope();
    parent.defer(() => log.push('before'));
    const child = parent.child();
    child.defer(() => log.push('child'));
    parent.defer(() => log.push('after'));
    await parent.close();
    expect(log).toEqual(['after', 'child', 'before']);
    expect(child.signal.aborted).toBe(true);
  });

  it('closes by itself, and its parent then forgets it', async () => {
    let runs = 0;
    const parent = new Scope();
    const child = parent.child();
    child.defer(() => void runs++);
    await child.close();
    expect([runs, parent.closed, parent.signal.aborted]).toEqual([1, false, false]);
    await parent.close();
    expect(runs).toBe(1);
  });

  it('reports to its parent’s listener', async () => {
    const errors: unknown[] = [];
    const parent = new Scope(error => errors.push(error));
    parent.child().defer(() => {
      throw new Error('from the child');
    });
    await parent.close();
    expect(errors).toHaveLength(1);
  });

  it('of a closed scope is closed', async () => {
    const parent = new Scope();
    await parent.close();
    expect(parent.child().closed).toBe(true);
  });
});

describe('a closed scope', () => {
  it('releases at once what it is given, and reports what that throws', async () => {
    const log: string[] = [];
    const errors: unknown[] = [];
    const scope = new Scope(error => errors.push(error));
    await scope.close();
    fill(scope, log);
    scope.defer(() => Promise.reject(new Error('late')));
    await sleep(20);
    expect(log.sort()).toEqual(['first', 'second', 'third']);
    expect(errors).toHaveLength(1);
  });

  it.each([
    ['what a release acquires', (scope: Scope, acquire: () => void) => scope.defer(acquire)],
    [
      'what a listener of its signal acquires',
      (scope: Scope, acquire: () => void) => scope.signal.addEventListener('abort', acquire),
    ],
  ])('does so while it is still closing, too, with %s', async (_, arrange) => {
    const log: string[] = [];
    const scope = new Scope();
    arrange(scope, () => scope.use({ [Symbol.dispose]: () => void log.push('late') }));
    await scope.close();
    expect(log).toEqual(['late']);
  });

  it('is closed once, even if a listener or release closes it again', async () => {
    let runs = 0;
    const scope = new Scope();
    scope.defer(() => void runs++);
    scope.signal.addEventListener('abort', () => void scope.close());
    scope.defer(() => void scope.close());
    await scope.close();
    expect(runs).toBe(1);
  });
});
