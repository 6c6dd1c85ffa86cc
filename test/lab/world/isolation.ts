// How a world is cut off from the machine: fresh user, network, mount and PID namespaces by `unshare`, no
// root needed. Where the kernel forbids user namespaces and we are root, the same without the user one.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

// --kill-child: should unshare itself be killed, its child, the agent, dies too, and with it the world.
const COMMON = ['--net', '--mount', '--pid', '--fork', '--kill-child'];
const ROOTLESS = ['--user', '--map-root-user', ...COMMON];

/** Namespace names and everything else a world writes live in its own /run, in memory. */
const PREPARE = [
  'mount -t tmpfs -o mode=755 tmpfs /run',
  'mkdir /run/netns /run/world',
  'mount -t proc proc /proc 2>/dev/null || true', // containers may forbid it; then /proc shows the outer one
  'ip link set lo up',
].join(' && ');

/** The tools that a world is made of, and the Debian package that brings each. */
const TOOLS = { unshare: 'util-linux', ip: 'iproute2', nft: 'nftables', ethtool: 'ethtool' };

/** Where Debian keeps administrators' tools, which users' PATHs often lack. */
export const TOOL_PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
const env = { ...process.env, PATH: TOOL_PATH };

/** Whether a program is where the system keeps its own. */
export function hasProgram(name: string): Promise<boolean> {
  const found = run('sh', ['-c', `command -v ${name}`], { env });
  return found.then(
    () => true,
    () => false,
  );
}

/** The command line that runs `argv` as the first process of a fresh world. */
export function isolated(argv: readonly string[], mode: Isolation): string[] {
  const flags = mode === 'rootless' ? ROOTLESS : COMMON;
  return ['unshare', ...flags, 'sh', '-c', `${PREPARE} && exec "$@"`, 'sh', ...argv];
}

export type Isolation = 'rootless' | 'root';

export type Ability =
  | { readonly able: true; readonly isolation: Isolation }
  | { readonly able: false; readonly reason: string };

let known: Promise<Ability> | undefined;

/** Whether this machine can build worlds, tried and not guessed; asked once per process. */
export function worldAbility(): Promise<Ability> {
  known ??= tryIt();
  return known;
}

async function tryIt(): Promise<Ability> {
  if (process.platform !== 'linux') return { able: false, reason: 'the laboratory needs Linux' };
  for (const [tool, debianPackage] of Object.entries(TOOLS)) {
    if (!(await hasProgram(tool)))
      return { able: false, reason: `${tool} is missing: apt-get install ${debianPackage}` };
  }
  const essence = [
    'ip netns add a',
    'ip link add w netns a type vxlan id 1 remote 10.0.0.1 dstport 4789',
    'nsenter --net=/run/netns/a nft add table ip t',
    "nsenter --net=/run/netns/a nft 'add chain ip t c { type nat hook postrouting priority 100; }'",
  ].join(' && ');
  let reason = '';
  for (const isolation of process.getuid?.() === 0
    ? (['rootless', 'root'] as const)
    : (['rootless'] as const)) {
    const [command = '', ...args] = isolated(['sh', '-c', essence], isolation);
    try {
      await run(command, args, { env, timeout: 10_000 });
      return { able: true, isolation };
    } catch (error) {
      reason ||= `no network namespaces here: ${String((error as { stderr?: string }).stderr ?? error).trim()}`;
    }
  }
  return { able: false, reason };
}
