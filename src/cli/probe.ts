// `wayleave probe`: what stands between this machine and the internet, and what that means for its owner.
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { type Command, Option } from 'commander';
import { WayleaveError } from '../errors.js';
import type { StunServer } from '../nat/probe.js';
import { toEndpoint } from '../net/endpoint.js';
import { type LocalAddress, localAddresses } from '../net/interfaces.js';
import { ipScope } from '../net/ip-scope.js';
import { EXIT, type Output, runCommand } from './output.js';

export interface ProbeFlags {
  stun: string[];
  server: string[];
  interface?: string;
  portMapping?: boolean;
  udpLifetime?: boolean;
  json?: boolean;
}

/** What the command needs of the rest of the product. */
export interface ProbeParts {
  /** What a signalling server says to those who knock: its STUN endpoints, as `stun:` URLs. */
  readonly greetingOf?: (url: string, signal: AbortSignal) => Promise<{ readonly stun: readonly string[] }>;
}

const STUN_PORT = 3478;
const collect = (value: string, earlier: string[] = []) => [...earlier, value];

export function registerProbe(program: Command, parts: ProbeParts = {}): void {
  program
    .command('probe')
    .description('find out what NAT or firewall this machine is behind, and what that means')
    .addOption(
      new Option('--server <url>', 'ask the STUN endpoints of this signalling server; may be repeated')
        .argParser(collect)
        .default([], 'WAYLEAVE_SERVERS, or none'),
    )
    .addOption(
      new Option('--stun <host:port>', 'ask this STUN server, public or private; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--interface <name>', 'only this network interface')
    .option('--no-port-mapping', 'do not ask the gateway whether it opens ports')
    .option('--udp-lifetime', 'also measure how long idle UDP mappings live; takes five minutes')
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  wayleave probe --server ws://203.0.113.10:7443
  wayleave probe --stun stun.example.org:3478 --json

Takes about a second, three at most, four where a gateway is asked for a port and keeps silent. What it gives is
given back at once. A server with two addresses (wayleave server --alternate-host) shows
everything; others show what they can, and the rest stays
unknown. Exit code 1 if no server answered.`,
    )
    .action((flags: ProbeFlags) =>
      runCommand(flags, (output, signal) => probeCommand(flags, output, signal, parts)),
    );
}

/** Probes, prints, and returns the exit code. @throws WayleaveError `bad-option`, `server-unreachable`, `aborted`. */
export async function probeCommand(
  flags: ProbeFlags,
  output: Output,
  signal: AbortSignal,
  parts: ProbeParts = {},
): Promise<number> {
  const servers = await serversOf(flags, signal, parts);
  const interfaces = flags.interface === undefined ? undefined : addressesOf(flags.interface);
  const [{ probe }, { picture }, { withGatewayOffers }] = await Promise.all([
    import('../nat/probe.js'),
    import('./probe-picture.js'),
    import('./gateway-offers.js'),
  ]);
  output.note(`Asking ${servers.map(({ endpoint }) => endpoint.host).join(', ')} …`);
  const { udpLifetime = false } = flags;
  const probing = probe({ servers, signal, udpLifetime, ...(interfaces ? { interfaces } : {}) });
  // With every server on this machine the question is about this machine alone.
  const alone = servers.every(({ endpoint }) => ipScope(endpoint.host) === 'loopback');
  const ask = flags.portMapping !== false && !alone;
  const addresses = (interfaces ?? localAddresses()).map(({ address }) => address);
  const result = ask ? await withGatewayOffers(probing, addresses, signal) : await probing;
  output.result({ event: 'profile', ...result }, picture(result));
  const answered = result.interfaces.some(({ external }) => external !== null);
  if (!answered)
    output.note('No STUN server answered. Is the address right, and does the network work at all?');
  return answered ? EXIT.done : EXIT.failed;
}

async function serversOf(flags: ProbeFlags, signal: AbortSignal, parts: ProbeParts): Promise<StunServer[]> {
  const environment = (process.env.WAYLEAVE_SERVERS ?? '').split(',');
  const urls = flags.server.length + flags.stun.length > 0 ? flags.server : environment;
  const named = urls.map(url => url.trim()).filter(url => url !== '');
  const { greetingOf } = parts;
  if (named.length > 0 && !greetingOf) {
    throw new WayleaveError('bad-option', '--server is not available here: use --stun HOST:PORT');
  }
  const greetings = await Promise.all(named.map(url => greetingOf!(url, signal)));
  const announced = greetings.flatMap(({ stun }) => stun);
  if (named.length > 0 && announced.length === 0) {
    throw new WayleaveError('server-unreachable', `${named.join(', ')} offers no STUN endpoint`);
  }
  // Ours serve both transports; of others nothing is known.
  const ours = announced.map(url => resolved(url, { transports: ['udp', 'tcp'] as const }));
  const others = flags.stun.map(text => resolved(text, {}));
  const servers = (await Promise.all([...ours, ...others])).flat();
  if (servers.length > 0) return servers;
  throw new WayleaveError('bad-option', 'name a server: --server URL, --stun HOST:PORT, or WAYLEAVE_SERVERS');
}

/**
 * `stun:HOST:PORT`, `HOST:PORT` or `HOST`, one server for each address that the name has: the user, or the
 * user's own server, wrote it down, so it may be resolved.
 */
async function resolved(text: string, known: Pick<StunServer, 'transports'>): Promise<StunServer[]> {
  const match = /^(?:stuns?:)?(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?(?:\?.*)?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? STUN_PORT);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new WayleaveError('bad-option', `${text} is not HOST:PORT`);
  }
  let addresses: { address: string }[];
  try {
    addresses = await lookup(host, { all: true });
  } catch (cause) {
    throw new WayleaveError('server-unreachable', `${host} cannot be resolved`, { cause });
  }
  const byFamily = new Map(
    addresses.map(({ address }) => [address.includes(':'), address]).reverse() as [boolean, string][],
  );
  return [...byFamily.values()].flatMap(address => {
    const endpoint = toEndpoint(address, port);
    return endpoint ? [{ endpoint, ...known }] : [];
  });
}

function addressesOf(name: string): LocalAddress[] {
  const system = networkInterfaces();
  const addresses = localAddresses({ [name]: system[name] });
  if (addresses.length > 0) return addresses;
  const names = Object.keys(system).join(', ');
  throw new WayleaveError('bad-option', `${name} has no usable address; the interfaces are ${names}`);
}
