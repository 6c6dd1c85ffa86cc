// What a command says: results on stdout (JSON lines with --json), everything else on stderr; the exit code for
// each way a command can end. Nothing else in the CLI writes to the terminal.

import { ConnectError, WayleaveError } from '../errors.js';
import { pc } from './colours.js';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Output {
  readonly json: boolean;
  /** One result: its JSON form, and the same for people. */
  result(event: { event: string; [field: string]: unknown }, text?: string): void;
  /** Progress and notes, for people only, on stderr. */
  note(text: string): void;
}

function createOutput({ json = false }: { json?: boolean }): Output {
  return {
    json,
    result(event, text) {
      if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
      else if (text !== undefined) process.stdout.write(`${text}\n`);
    },
    note(text) {
      if (!json) process.stderr.write(`${text}\n`);
    },
  };
}

/** Reports a failure, on one line, and gives the exit code for it. */
function reportFailure(error: unknown, output: Output): number {
  const known = error instanceof WayleaveError;
  const code = known ? error.code : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  const attempts = error instanceof ConnectError ? { attempts: error.attempts } : {};
  output.result({ event: 'failed', code, message, ...attempts });
  const remedy = known ? ` ${pc.dim(error.remedy)}` : '';
  output.note(`${pc.red('wayleave:')} ${message} ${pc.dim(`(${code})`)}${remedy}`);
  if (!known && process.env.NODE_DEBUG?.includes('wayleave')) console.error(error);
  return code === 'bad-option' ? EXIT.usage : EXIT.failed;
}

/**
 * Runs a command to its end: failures reported on one line, SIGINT ends with 130, SIGTERM with 0, both after
 * everything was released through the signal.
 */
export async function runCommand(
  options: { json?: boolean },
  command: (output: Output, signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const output = createOutput(options);
  const interrupt = new AbortController();
  let interrupted: number | undefined;
  const stop = (code: number) => () => {
    interrupted ??= code;
    interrupt.abort(new WayleaveError('aborted', 'interrupted'));
  };
  const onInterrupt = stop(EXIT.interrupted);
  const onTerminate = stop(EXIT.done);
  // whoever read our output has had enough (`| head`): there is nobody left to tell
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') stop(EXIT.done)();
  });
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onTerminate);
  let code: number;
  try {
    code = await command(output, interrupt.signal);
  } catch (error) {
    code = interrupted ?? reportFailure(error, output);
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
  }
  process.exitCode = interrupted ?? code;
}
