// The rules of the house, as pure functions of what the files import: each returns its violations as sentences.
import { ALSO, FLOORS, NETWORK, NOT_FOR_USERS, PACKAGES, PRINTERS, SERVER_USES } from './floors.js';
import type { Import, Source } from './source.js';

const SERVER = 'signalling-server/';
const within = (path: string, prefixes: readonly string[]) =>
  prefixes.some(prefix => path.startsWith(prefix));
const isOurs = (path: string) => within(path, ['src/', SERVER]);

/** The room of a file: the longest prefix of the table that fits. */
export function roomOf(path: string): string | undefined {
  const rooms = [...Object.keys(FLOORS), SERVER].filter(room => path.startsWith(room));
  return rooms.sort((a, b) => b.length - a.length)[0];
}

/** Each import with its file; only our own files, unless asked for the rest. */
const imports = (sources: readonly Source[]) =>
  sources.flatMap(({ path, imports }) => imports.map(to => ({ from: path, ...to })));

function allowed({ from, to, kind }: Import & { from: string }): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === undefined || there === undefined) return false;
  if (here === there) return true;
  if (ALSO.some(row => from.startsWith(row.from) && to.startsWith(row.to) && row.access.includes(kind)))
    return true;
  if (here === SERVER) return within(to, SERVER_USES);
  return there !== SERVER && FLOORS[there]! < FLOORS[here]!;
}

/** Imports run downward only. */
export function upwardImports(sources: readonly Source[]): string[] {
  const homeless = sources.filter(({ path }) => !roomOf(path)).map(({ path }) => `${path} is in no room`);
  const up = imports(sources).filter(row => isOurs(row.to) && !allowed(row));
  const astray = imports(sources).filter(({ to }) => /^\.|^(test|bench|examples|scripts|dist)\//.test(to));
  return [...homeless, ...[...up, ...astray].map(({ from, to, kind }) => `${from} imports ${to} (${kind})`)];
}

/** A way from each node back to itself in a graph, as `a -> b -> a`; one for every knot. */
function cycles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (node: string, path: string[]): void => {
    const at = path.indexOf(node);
    if (at >= 0) return void found.push([...path.slice(at), node].join(' -> '));
    if (done.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

function graphOf(edges: readonly (readonly [string, string])[]): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const [from, to] of edges) graph.set(from, (graph.get(from) ?? new Set()).add(to));
  return graph;
}

/** No file needs itself at run time. */
export function fileCycles(sources: readonly Source[]): string[] {
  const values = imports(sources).filter(({ kind, to }) => kind !== 'type' && isOurs(to));
  return cycles(graphOf(values.map(({ from, to }) => [from, to] as const)));
}

/** No room needs itself through another, types included; but for the one type that an option holds. */
export function roomCycles(sources: readonly Source[]): string[] {
  const between = imports(sources).flatMap(({ from, to, kind }) => {
    const [here, there] = [roomOf(from), roomOf(to)];
    const excused = kind === 'type' && from === 'src/options.ts';
    return here && there && here !== there && !excused ? [[here, there] as const] : [];
  });
  return cycles(graphOf(between));
}

/** Sockets are opened in few places. */
export function strayNetwork(sources: readonly Source[]): string[] {
  return imports(sources).flatMap(({ from, to, kind }) => {
    const module = to.replace('/promises', '');
    const bare = Object.keys(NETWORK).some(name => name === `node:${module}`);
    if (bare) return [`${from} imports ${to} without node:`];
    const rooms = NETWORK[module];
    return rooms && kind !== 'type' && !within(from, rooms) ? [`${from} loads ${to}`] : [];
  });
}

/** Packages are used where they belong, and those that are optional are loaded when asked for. */
export function strayPackages(sources: readonly Source[]): string[] {
  return imports(sources).flatMap(({ from, to, kind }) => {
    if (isOurs(to) || to.startsWith('node:') || to.startsWith('.')) return [];
    const name = to.startsWith('@') ? to.split('/', 2).join('/') : to.split('/', 1)[0]!;
    const row = PACKAGES[name];
    if (!row) return [`${from} imports ${name}, which is in no row`];
    if (!within(from, row.rooms))
      return [`${from} imports ${name}, which belongs to ${row.rooms.join(', ')}`];
    return row.onDemand && kind === 'value' ? [`${from} loads ${name} at once`] : [];
  });
}

/** The core never prints. */
export function strayPrinting(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !within(path, PRINTERS))
    .flatMap(({ path, printsTo }) => printsTo.map(where => `${path} writes to ${where}`));
}

/** What a file loads, at once or later, through whatever it imports. */
export function reachedFrom(start: string, sources: readonly Source[]): Set<string> {
  const byPath = new Map(sources.map(source => [source.path, source]));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const { to, kind } of byPath.get(path)?.imports ?? []) if (kind !== 'type') visit(to);
  };
  visit(start);
  return reached;
}

/** `import 'wayleave'` loads neither the command line nor the server. */
export function foreignToUsers(sources: readonly Source[]): string[] {
  return [...reachedFrom('src/index.ts', sources)].filter(path => within(path, NOT_FOR_USERS));
}
