// The server's log: JSON lines on stderr by pino, loaded only when something is to be logged. Ids and addresses of
// clients appear from `debug` on; boxes, keys and credentials never.

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type Log = Readonly<
  Record<LogLevel, (fields: Readonly<Record<string, unknown>>, text: string) => void>
>;

const SILENT: Log = { error() {}, warn() {}, info() {}, debug() {} };

export async function createLog(level: LogLevel | 'silent'): Promise<Log> {
  if (level === 'silent') return SILENT;
  const { destination, pino } = await import('pino');
  const logger = pino({ name: 'wayleave-server', level }, destination({ fd: 2, sync: true }));
  const at =
    (name: LogLevel): Log[LogLevel] =>
    (fields, text) =>
      logger[name](fields, text);
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
