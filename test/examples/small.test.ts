// echo, chat and http-over-pipe, run as their heads say.
import { describe, expect, it } from 'vitest';
import { example } from './example.js';

describe('examples/echo', () => {
  it('sends back what it gets', async () => {
    await using server = example('echo');
    const client = example('echo', await server.address(), 'good morning');
    expect(await client.exit).toBe(0);
    expect(client.stdout).toBe('good morning (by direct)\n');
  });
});

describe('examples/chat', () => {
  it('passes on what each says, and who comes and goes', async () => {
    await using alice = example('chat', 'alice');
    const address = await alice.address();
    await using bob = example('chat', 'bob', address);
    await alice.prints(/\* bob has come/);
    await using carol = example('chat', 'carol', address);
    await bob.prints(/\* carol has come/);
    await carol.prints(/\* carol has come/);
    bob.type('hello, all');
    await Promise.all([alice, bob, carol].map(each => each.prints(/bob: hello, all\n/)));
    alice.type('welcome \u001b[31m bob');
    await carol.prints(/alice: welcome ·\[31m bob\n/); // no escape reaches a terminal
    bob.child.stdin!.end();
    expect(await bob.exit).toBe(0);
    await carol.prints(/\* bob has gone/);
    alice.child.stdin!.end();
    expect(await alice.exit).toBe(0);
    await carol.prints(/\* the room is closed/);
    expect(await carol.exit).toBe(0);
  });

  it('explains a name that is none', async () => {
    const nobody = example('chat', 'no spaces');
    expect(await nobody.exit).toBe(2);
    expect(nobody.stderr).toContain('usage: chat');
  });

  it('closes on a guest who does not speak chat, and goes on', async () => {
    await using alice = example('chat', 'alice');
    const address = await alice.address();
    const stranger = example('echo', address, 'hello');
    expect(await stranger.exit).not.toBe(0);
    await using bob = example('chat', 'bob', address);
    await bob.prints(/\* bob has come/);
  });
});

describe('examples/http-over-pipe', () => {
  it('requests and responds, and the server knows who asks', async () => {
    await using server = example('http-over-pipe');
    const address = await server.address();
    for (const path of ['/', '/a?b=c']) {
      const client = example('http-over-pipe', address, path);
      expect(await client.exit).toBe(0);
      expect(client.stdout).toMatch(/^200 OK\nHello [a-z2-7]{8}…, you asked for /);
      expect(client.stdout).toContain(`you asked for ${path}\n`);
    }
    expect(server.stderr).toBe('');
  });
});
