import winston from 'winston';
import type { Level } from './format.js';
import type { LogTransport } from './transport.js';

/** winston's order: the smaller, the more severe. */
const LEVELS: Readonly<Record<Level, number>> = { error: 0, warning: 1, notice: 2, info: 3 };

/** The lines come formatted: nothing is left to do. */
const asItIs = winston.format((record) => record);

/** What passes records on to each transport. */
export function createSink(transports: readonly LogTransport[]): winston.Logger {
  return winston.createLogger({
    levels: { ...LEVELS },
    level: 'info',
    format: asItIs(),
    transports: transports as winston.transport[],
    // Without a single transport winston complains about each line.
    silent: transports.length === 0,
  });
}
