import type { Writable } from 'node:stream';
import winston from 'winston';
import type { LogRecord } from './record.js';

/** What a transport of ours overrides. */
export interface LogTransport extends Writable {
  log?(record: LogRecord, next: () => void): void;
  close?(): void;
}

/**
 * The base class of winston's transports. The library exports it as `Transport`, which its type declarations do not
 * know.
 */
export const Transport = (winston as unknown as { Transport: new () => LogTransport }).Transport;
