// Colour, on a terminal only and never with NO_COLOR. picocolors by itself also colours where CI is set, which would
// put escape codes into files and pipes.
import picocolors from 'picocolors';

const wanted = Boolean(process.stdout.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

export const pc = picocolors.createColors(wanted);
