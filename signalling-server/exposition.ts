// Prometheus' text format, version 0.0.4, from tables: one row a metric. Twenty lines instead of a client library:
// that one brings four packages and a third of the whole installed tree for them.

/** A number, or one for each value of a label; none at all where there is nothing to tell. */
export type Reading =
  | number
  | undefined
  | { readonly label: string; readonly values: Readonly<Record<string, number>> };

/** A metric of `Of`: what is asked when somebody wants to know. */
export type Row<Of, Read extends Reading = Reading> = readonly [
  name: string,
  kind: 'counter' | 'gauge',
  help: string,
  (of: Of) => Read,
];

export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The rows as text. Names and label values are ours and need no escaping. */
export function expose<Of>(rows: readonly Row<Of>[], of: Of): string {
  const lines = rows.flatMap(([name, kind, help, read]) => {
    const reading = read(of);
    if (reading === undefined) return [];
    const samples =
      typeof reading === 'number'
        ? [`${name} ${reading}`]
        : Object.entries(reading.values).map(([value, n]) => `${name}{${reading.label}="${value}"} ${n}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...samples];
  });
  return lines.map(line => `${line}\n`).join('');
}

/** One reading for each value of a label. */
export function by(label: string, values: Readonly<Record<string, number>>): Reading {
  return { label, values };
}
