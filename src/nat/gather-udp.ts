// The UDP half of a probe (RFC 5780 section 4): who sees us as what, which uninvited answers come in, in what
// order ports are given, and whether a packet to ourselves comes back. Mappings are made one after another;
// filtering is tested from a port that has contacted one endpoint only, for contact opens filters.
import { setMaxListeners } from 'node:events';
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import { encodeRequest, mappedAddress, type StunAnswer, successOf } from '../stun/client.js';
import { decodeMessage, type StunMessage } from '../stun/message.js';
import type { Schedule } from '../stun/transaction.js';
import { UdpStunClient } from '../stun/udp-client.js';
import {
  bestSite,
  Findings,
  type GatherTask,
  orNothing,
  type Site,
  type StunServer,
  siteOf,
} from './findings.js';
import { deliveryRate, doubtOfSilence, type FilteringSample, type Samples } from './samples.js';

// Denser than the RFC's 500 ms: a person waits for the result, and three seconds are all there is.
const FIRST_CONTACT: Schedule = { sendAtMs: [0, 150, 350, 600, 900, 1_300, 1_700], giveUpMs: 2_300 };
/** More servers than this add nothing to a vote. */
const MAX_SERVERS = 4;
/** Beside the first, servers whose word on filtering counts too: with three, one that is broken is outvoted. */
const MAX_VOTERS = 2;
/** When silence is this unlikely to be bad luck, asking more often is pointless. */
const DOUBT_ENOUGH = 0.0005;
/** The first few answers say little about the path: a lucky streak must not end the asking. */
const MIN_TRIES = 10;
const MAX_TRIES = 24;
const HAIRPIN_TRIES = 3;
const HAIRPIN_EVERY_MS = 40;
const HAIRPIN_WAIT_MS = 150;
/** After a stall of this process timers run before what has arrived is read: let that come first. */
const READ_FIRST_MS = 1;

interface Path {
  readonly found: Findings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export async function gatherUdp(task: GatherTask, clock: Clock): Promise<Samples> {
  const { localAddress, signal } = task;
  const found = new Findings('udp', localAddress);
  const path: Path = { found, clock, signal };
  await using scope = new Scope();
  const hairpin = { key: '', passed: () => {} };
  const open = async (onMessage?: (message: StunMessage) => void) =>
    scope.use(
      await UdpStunClient.open({
        family: familyOf(localAddress),
        address: localAddress,
        clock,
        ...(onMessage ? { onMessage } : {}),
      }),
    );
  const mapper = await orNothing(open(message => message.transactionKey === hairpin.key && hairpin.passed()));
  const sites = mapper ? await contact(mapper, task.servers.slice(0, MAX_SERVERS), path) : [];
  const site = bestSite(sites);
  if (!mapper || !site) return found.samples();

  const filtered = await open();
  await ask(filtered, site.main, path);
  // These two at once, in a known order: other hosts' mappings hardly ever come between them.
  const [again, fresh] = [await open(), await open()];
  await Promise.all([ask(again, site.main, path), ask(fresh, site.main, path)]);
  const second = async (other: Site) => {
    const client = await open();
    await ask(client, other.main, path);
    await testFiltering(client, other, path);
  };
  const voters = sites.filter(other => other !== site && other.otherAddress).slice(0, MAX_VOTERS);
  const mappings = async () => {
    if (site.otherPort) await ask(mapper, site.otherPort, path);
    if (site.otherAddress) await ask(mapper, site.otherAddress, path);
    if (!found.translated) return;
    const external = found.mapping.find(({ local }) => local.port === mapper.port)?.mapped;
    if (external) await testHairpin(await open(), external, hairpin, path);
  };
  await Promise.all([
    orNothing(mappings()),
    orNothing(testFiltering(filtered, site, path)),
    orNothing(testFiltering(again, site, path)),
    ...voters.map(other => orNothing(second(other))),
  ]);
  return found.samples();
}

/** Asks all servers from one port; the sites of those that answer in time. */
async function contact(client: UdpStunClient, servers: readonly StunServer[], path: Path): Promise<Site[]> {
  const { found, clock, signal } = path;
  const enough = new AbortController();
  const stop = () => enough.abort();
  signal.addEventListener('abort', stop, { once: true });
  const heard = new Set<StunServer>();
  const sites: Site[] = [];
  const startMs = clock.now();
  await Promise.all(
    servers.map(async server => {
      const site = await orNothing(
        ask(client, server.endpoint, { ...path, signal: enough.signal }, FIRST_CONTACT),
      );
      if (!site) return;
      heard.add(server);
      sites.push(site);
      // The others get a little more time, so that they may vote, but nobody waits for a dead one.
      const patienceMs = 2 * (found.roundTripMs ?? clock.now() - startMs) + 20;
      if (heard.size < servers.length) await clock.sleep(patienceMs, enough.signal).catch(() => {});
      stop();
    }),
  );
  signal.removeEventListener('abort', stop);
  const elapsedMs = clock.now() - startMs;
  for (const server of servers) {
    const sends = FIRST_CONTACT.sendAtMs.filter(atMs => atMs <= elapsedMs).length;
    if (!heard.has(server)) found.unheard.push({ how: 'silent', sends });
  }
  return sites;
}

/** One Binding request, written down; where the server's other corners are. */
async function ask(
  client: UdpStunClient,
  server: Endpoint,
  { found, signal, clock }: Path,
  schedule: Schedule = repeating(found.roundTripMs),
): Promise<Site | undefined> {
  const startMs = clock.now();
  const place = found.nextMapping();
  const answer = await orNothing(client.request(server, {}, { schedule, signal }));
  const message = answer && (await orNothing(readSuccess(answer)));
  const mapped = message && mappedAddress(message);
  if (!mapped) {
    const sent = schedule.sendAtMs.filter(atMs => atMs <= clock.now() - startMs).length;
    if (schedule !== FIRST_CONTACT) found.note(sent, 0);
    return undefined;
  }
  found.note(answer!.sends, 1, answer!.roundTripMs);
  place({ local: { host: client.address, port: client.port }, server, mapped });
  return siteOf(server, message);
}

async function readSuccess(answer: StunAnswer): Promise<StunMessage> {
  const message = successOf(answer);
  mappedAddress(message);
  siteOf(answer.from, message);
  return message;
}

/** Repeats after two round trips: on a known path nothing is gained by waiting half a second. */
function repeating(roundTripMs = 100): Schedule {
  const everyMs = Math.max(60, 2 * roundTripMs);
  return { sendAtMs: Array.from({ length: 8 }, (_, i) => i * everyMs), giveUpMs: 8 * everyMs };
}

/**
 * Asks for answers from elsewhere, again and again beside plain requests that show how lossy the path is,
 * until one comes through or loss can no longer explain that none does.
 */
async function testFiltering(
  client: UdpStunClient,
  site: Site,
  { found, clock, signal }: Path,
): Promise<void> {
  const { main, otherAddress, otherPort } = site;
  const questions = [
    ...(otherAddress ? [{ change: 'address' as const, from: otherAddress }] : []),
    ...(otherPort ? [{ change: 'port' as const, from: otherPort }] : []),
  ].map(question => ({ ...question, passed: false }));
  if (questions.length === 0) return;

  const roundTripMs = found.roundTripMs ?? 100;
  const patienceMs = 2 * roundTripMs + 100;
  const once: Schedule = { sendAtMs: [0], giveUpMs: 3_000 };
  const settled = new AbortController();
  setMaxListeners(0, settled.signal); // every question listens to it
  const stop = () => settled.abort();
  signal.addEventListener('abort', stop, { once: true });
  const decided = () => questions[0]!.passed || questions.every(({ passed }) => passed);
  const pending: Promise<unknown>[] = [];
  let tries = 0;
  try {
    while (tries < MAX_TRIES && !settled.signal.aborted) {
      if (tries >= MIN_TRIES && doubtOfSilence(tries, deliveryRate(found.delivery)) <= DOUBT_ENOUGH) break;
      tries++;
      for (const question of questions.filter(({ passed }) => !passed)) {
        const change = { address: question.change === 'address', port: true };
        const options = { answerFrom: [question.from], schedule: once, signal: settled.signal };
        const asked = client.request(main, { attributes: [['CHANGE-REQUEST', change]] }, options);
        const heard = (answer: StunAnswer) => {
          question.passed ||= answer.message.class === 'success';
          if (decided()) stop();
        };
        pending.push(orNothing(asked.then(heard)));
      }
      const control = client.request(main, {}, { schedule: { ...once, giveUpMs: patienceMs }, signal });
      pending.push(orNothing(control).then(answer => found.note(1, answer ? 1 : 0, answer?.roundTripMs)));
      await clock.sleep(Math.min(100, Math.max(30, roundTripMs / 2)), settled.signal).catch(() => {});
    }
    await clock.sleep(patienceMs, settled.signal).catch(() => {});
    await clock.sleep(READ_FIRST_MS, settled.signal).catch(() => {});
  } finally {
    stop();
    signal.removeEventListener('abort', stop);
  }
  await Promise.all(pending);
  for (const { change, passed } of questions) {
    const outcome: FilteringSample['outcome'] = passed ? 'passed' : 'silent';
    // What was cut short by the first answer shows nothing.
    if (passed || !questions[0]!.passed)
      found.filtering.push({ server: main, change, localPort: client.port, outcome, tries });
  }
}

async function testHairpin(
  client: UdpStunClient,
  external: Endpoint,
  hairpin: { key: string; passed: () => void },
  { found, clock, signal }: Path,
): Promise<void> {
  const bytes = encodeRequest({});
  const arrived = new AbortController();
  hairpin.key = decodeMessage(bytes).transactionKey;
  hairpin.passed = () => arrived.abort();
  let tries = 0;
  while (tries < HAIRPIN_TRIES && !arrived.signal.aborted && !signal.aborted) {
    tries++;
    client.send(bytes, external);
    await clock.sleep(HAIRPIN_EVERY_MS, arrived.signal).catch(() => {});
  }
  for (const waitMs of [HAIRPIN_WAIT_MS, READ_FIRST_MS]) {
    if (!signal.aborted) await clock.sleep(waitMs, arrived.signal).catch(() => {});
  }
  found.hairpin = { passed: arrived.signal.aborted, tries };
}
