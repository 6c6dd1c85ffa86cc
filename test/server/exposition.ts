// A strict reader of Prometheus' text format, version 0.0.4: what it lets pass, a scraper understands.

export interface Family {
  readonly kind: string;
  readonly help: string;
  readonly samples: { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABELS = /^(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*$/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;

/** @throws Error that names the line, for anything that the format or good manners forbid. */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let help: readonly [string, string] | undefined;
  let open: readonly [string, Family] | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string) => new Error(`${why}: ${line}`);
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
    if (comment?.[1] === 'HELP') {
      if (families.has(comment[2]!)) throw fail('told twice');
      help = [comment[2]!, comment[3]!];
    } else if (comment) {
      const [, , name = '', kind = ''] = comment;
      if (help?.[0] !== name) throw fail('no help before it');
      if (!/^(?:counter|gauge|histogram|summary|untyped)$/.test(kind)) throw fail('no such kind');
      if ((kind === 'counter') !== name.endsWith('_total'))
        throw fail('counters, and only they, end in _total');
      open = [name, { kind, help: help[1], samples: [] }];
      families.set(...open);
    } else {
      const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line);
      if (!sample) throw fail('neither comment nor sample');
      const [, name = '', labels = '', value = ''] = sample;
      if (name !== open?.[0]) throw fail('not with its family');
      if (!LABELS.test(labels)) throw fail('labels');
      if (!NUMBER.test(value)) throw fail('no number');
      if (series.has(`${name}{${labels}}`)) throw fail('the same series twice');
      series.add(`${name}{${labels}}`);
      const pairs = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="([^"]*)"/g)].map(([, key, of]) => [
        key,
        of,
      ]);
      open[1].samples.push({
        labels: Object.fromEntries(pairs),
        value: Number(value.replace('Inf', 'Infinity')),
      });
    }
  }
  return families;
}
