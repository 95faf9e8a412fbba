import { writeSync } from 'node:fs';
import type { Level } from './format.js';
import type { LogRecord } from './record.js';
import { Transport } from './transport.js';

const STDOUT = 1;
const STDERR = 2;

/** info and notice go to stdout, the rest to stderr (spec/daemon.md). */
function streamOf(level: Level): number {
  return level === 'info' || level === 'notice' ? STDOUT : STDERR;
}

function writeLine(stream: number, line: string): void {
  try {
    writeSync(stream, `${line}\n`);
  } catch {
    // EPIPE, EAGAIN, EBADF: nobody reads, and there is nobody else to tell. No reason to stop or to wait.
  }
}

/** A line for whoever started the process, before there is a log. */
export function printError(line: string): void {
  writeLine(STDERR, line);
}

/** The terminal, in console mode. */
export class ConsoleTransport extends Transport {
  override log(record: LogRecord, next: () => void): void {
    writeLine(streamOf(record.level), record.line);
    next();
  }
}
