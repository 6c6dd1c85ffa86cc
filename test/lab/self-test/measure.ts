// Measures a host's NAT with plain sockets and two addresses of a public host: the experiments of RFC 5780
// sections 4.3 and 4.4, for UDP and TCP, in the words of the profile.
import type { Behaviour, Dependence } from '../../../src/nat/profile.js';
import type { Place, Transport } from './prober.js';
import type { Prober } from './prober-client.js';

export type Measured = Omit<Behaviour, 'samples' | 'confidence' | 'unsolicitedSyn'> & {
  readonly unsolicitedSyn?: 'drop' | 'reset';
};

/** Both listen here, on every address: the only ports that the strictest networks let out. */
export const OBSERVER_PORTS = [80, 443] as const;

export interface Setting {
  readonly subject: Prober;
  /** The subject's own address. */
  readonly inside: string;
  readonly observer: Prober;
  /** The observer's two addresses, of the subject's family. */
  readonly observerAddresses: readonly [string, string];
  /** How long silence must last to count as such: several round trips. */
  readonly silenceMs: number;
}

const PORT_SAMPLES = 10;
/** Long enough for a busy machine; only what is blocked waits it out, once. */
const ANSWER_MS = 2500;

export async function measure(setting: Setting, transport: Transport): Promise<Measured> {
  const { subject, inside, observer, observerAddresses, silenceMs } = setting;
  const [first, second] = observerAddresses;
  const [portA, portB] = OBSERVER_PORTS;
  let localPort = transport === 'tcp' ? 21_000 : 31_000;
  const seen = async (from: Place, to: Place) => (await subject.reach(transport, from, to, ANSWER_MS)).seenAs;

  const mapped = { host: inside, port: localPort++ };
  const a = await seen(mapped, { host: first, port: portA });
  if (!a) return { ...UNREACHED };
  const b = await seen(mapped, { host: first, port: portB });
  const c = await seen(mapped, { host: second, port: portA });
  let mapping: Dependence = 'address-and-port-dependent';
  if (same(a, b)) mapping = same(a, c) ? 'endpoint-independent' : 'address-dependent';

  const externals: { inside: number; outside: number }[] = [];
  for (let i = 0; i < PORT_SAMPLES; i++) {
    const from = { host: inside, port: localPort++ };
    const external = await seen(from, { host: first, port: portA });
    if (external) externals.push({ inside: from.port, outside: external.port });
  }

  // Only (first, portA) is contacted from this one.
  const filtered = { host: inside, port: localPort++ };
  const target = await seen(filtered, { host: first, port: portA });
  if (!target) return { ...UNREACHED };
  if (transport === 'tcp') await subject.ask({ do: 'listen', transport, at: filtered });
  const admits = async (from: Place) => {
    if (transport === 'tcp') return (await observer.reach('tcp', from, target, silenceMs)).outcome === 'open';
    const text = `from ${from.host} ${from.port} to ${target.host} ${target.port}`;
    await observer.ask({ do: 'send', from, to: target, text });
    const { outcome } = await subject.ask({ do: 'heard', at: filtered, text, timeoutMs: silenceMs });
    return outcome === 'open';
  };
  // An endpoint that nothing inside ever used, and one's own from inside.
  const knock = () =>
    observer.reach('tcp', { host: first, port: strangePort() }, { host: a.host, port: 999 }, silenceMs);
  const loop = { host: inside, port: localPort++ };
  const [anyAddress, anyPort, looped, answer] = await Promise.all([
    admits({ host: second, port: strangePort() }),
    admits({ host: first, port: strangePort() }),
    subject.reach(transport, loop, target, silenceMs),
    transport === 'tcp' ? knock() : undefined,
  ]);
  let filtering: Dependence = 'address-and-port-dependent';
  if (anyPort) filtering = anyAddress ? 'endpoint-independent' : 'address-dependent';

  const translated = a.host !== inside;
  const open = filtering === 'endpoint-independent' && !translated;
  return {
    kind: translated ? 'nat' : open ? 'open' : 'firewall',
    mapping,
    filtering,
    ports: portPattern(externals),
    hairpinning: translated ? looped.outcome === 'open' : null,
    ...(answer ? { unsolicitedSyn: answer.outcome === 'ECONNREFUSED' ? 'reset' : 'drop' } : {}),
  };
}

const UNREACHED: Measured = {
  kind: 'blocked',
  mapping: 'unknown',
  filtering: 'unknown',
  ports: { pattern: 'unknown' },
  hairpinning: null,
};

/** Of external ports that were allocated one after another. */
function portPattern(samples: readonly { inside: number; outside: number }[]): Behaviour['ports'] {
  if (samples.every(({ inside, outside }) => inside === outside)) return { pattern: 'preserving' };
  const steps = samples.slice(1).map(({ outside }, i) => outside - samples[i]!.outside);
  // A neighbour's flows widen some steps, in the same direction; the smallest is the NAT's own.
  const regular = steps.every(step => Math.sign(step) === Math.sign(steps[0]!) && Math.abs(step) <= 64);
  if (!regular) return { pattern: 'random' };
  return { pattern: 'delta', delta: steps.reduce((x, y) => (Math.abs(y) < Math.abs(x) ? y : x)) };
}

const same = (x: Place | undefined, y: Place | undefined) => x?.host === y?.host && x?.port === y?.port;

let strange = 40_000;
/** A port of the observer that nobody contacted: every experiment needs one that no mapping knows. */
const strangePort = () => strange++;
