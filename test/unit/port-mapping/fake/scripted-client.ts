// A protocol that does what a test says, and remembers what was asked of it.
import { WayleaveError } from '../../../../src/errors.js';
import type {
  GrantedMapping,
  MappingClient,
  MappingHealth,
  MappingRequest,
} from '../../../../src/port-mapping/mapping-protocol.js';
import type { PortMappingProtocol } from '../../../../src/port-mapping/port-mapping.js';
import type { FakeClock } from '../../../fake-clock.js';

export interface Script {
  /** Detection: after so many ms it is spoken; undefined: never. Default: 0. */
  detectedAfterMs?: number | undefined;
  /** What open does. Default: grants 203.0.113.7 with the wished port for the wished time. */
  open?: (request: MappingRequest, time: number) => GrantedMapping | Error;
  check?: (time: number) => MappingHealth | Error;
}

export class ScriptedClient implements MappingClient {
  readonly protocol: PortMappingProtocol;
  readonly asked: { do: 'detect' | 'open' | 'check' | 'remove'; atMs: number }[] = [];
  script: Script;
  readonly #clock: FakeClock;
  readonly #times = { open: 0, check: 0 };

  constructor(protocol: PortMappingProtocol, clock: FakeClock, script: Script = {}) {
    this.protocol = protocol;
    this.#clock = clock;
    this.script = script;
  }

  count(what: 'detect' | 'open' | 'check' | 'remove'): number {
    return this.asked.filter(entry => entry.do === what).length;
  }

  async detect(signal: AbortSignal): Promise<void> {
    this.#note('detect');
    const after = 'detectedAfterMs' in this.script ? this.script.detectedAfterMs : 0;
    await this.#clock.sleep(after ?? 3750, signal);
    if (after === undefined) throw new WayleaveError('no-answer', 'silence');
  }

  async open(request: MappingRequest): Promise<GrantedMapping> {
    this.#note('open');
    const { externalPort: port, lifetimeSeconds } = request;
    const grant = this.script.open?.(request, ++this.#times.open) ?? {
      external: { host: '203.0.113.7', port },
      lifetimeSeconds,
    };
    if (grant instanceof Error) throw grant;
    return grant;
  }

  async check(): Promise<MappingHealth> {
    this.#note('check');
    const health = this.script.check?.(++this.#times.check) ?? 'steady';
    if (health instanceof Error) throw health;
    return health;
  }

  /** What removing takes. Default: no time. */
  removal: (signal: AbortSignal) => Promise<void> = async () => {};

  async remove(signal: AbortSignal): Promise<void> {
    this.#note('remove');
    await this.removal(signal);
  }

  #note(what: 'detect' | 'open' | 'check' | 'remove'): void {
    this.asked.push({ do: what, atMs: this.#clock.now() });
  }
}
