// What the load generator is asked to do: small by default, as large as the machine allows by options.
import { parseArgs } from 'node:util';

const SCENARIOS = ['idle', 'throughput', 'mischief', 'storm', 'cluster'] as const;
/** Wants nats-server, and its time. */
const ONLY_WHEN_ASKED: readonly ScenarioName[] = ['cluster'];
const USUAL = SCENARIOS.filter(name => !ONLY_WHEN_ASKED.includes(name));
export type ScenarioName = (typeof SCENARIOS)[number];

export interface LoadOptions {
  readonly scenarios: readonly ScenarioName[];
  /** Idle clients. */
  readonly clients: number;
  /** Clients that send to each other. */
  readonly senders: number;
  /** Messages a second, open loop. */
  readonly rate: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Clients that come back after a restart. */
  readonly returning: number;
}

export const HELP = `npm run bench -- load [options]

A load on the signalling server, which runs in a process of its own, from thin clients on loopback addresses.

  --scenario NAMES   of ${SCENARIOS.join(', ')}; comma separated (default: all but cluster)
                       idle        what an idle client costs
                       throughput  messages between random pairs: as many as come back, beside a bare ws echo, then
                                   at a fixed rate; latency counts from when a message was meant to leave
                       mischief    what an honest client feels beside a flood, and beside one that does not read
                       storm       the server is killed and started again; everybody returns
                       cluster     two processes joined by NATS (Debian: nats-server): in peace, NATS restarted, one
                                   of them killed
  --clients N        idle clients (default: 2000). Each takes a file descriptor on either side: see ulimit -n
  --senders N        clients that send to each other (default: 50)
  --rate N           messages a second at the fixed rate (default: 20000)
  --seconds N        length of each measurement (default: 3)
  --returning N      clients that return (default: 500; a hundred a second are let in)

The large runs of docs/operations.md:
  npm run bench -- load --scenario idle --clients 10000
  npm run bench -- load --scenario throughput --rate 50000 --seconds 10
  npm run bench -- load --scenario storm --returning 5000
  npm run bench -- load --scenario cluster --rate 10000 --senders 200
`;

/** @throws RangeError, or an error of parseArgs, in words for whoever typed it. */
export function readOptions(args: readonly string[]): LoadOptions {
  const number = (fallback: number) => ({ type: 'string', default: `${fallback}` }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', default: USUAL.join() },
      clients: number(2000),
      senders: number(50),
      rate: number(20_000),
      seconds: number(3),
      returning: number(500),
    },
  });
  const whole = (name: 'clients' | 'senders' | 'rate' | 'seconds' | 'returning') => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value > 0) return value;
    throw new RangeError(`--${name} ${values[name]}: a whole number above 0, please`);
  };
  const scenarios = values.scenario.split(',').map(name => {
    const known = SCENARIOS.find(scenario => scenario === name);
    if (known) return known;
    throw new RangeError(`--scenario ${name}: there are ${SCENARIOS.join(', ')}`);
  });
  return {
    scenarios,
    clients: whole('clients'),
    senders: whole('senders'),
    rate: whole('rate'),
    seconds: whole('seconds'),
    returning: whole('returning'),
  };
}
