import { UnixDatagramSocket } from './datagram.js';
import { type Level, syslogDate } from './format.js';
import type { LogRecord } from './record.js';
import { Transport } from './transport.js';

/** Where the system's log listens (syslog(3), _PATH_LOG of paths.h). */
const LOG_PATH = '/dev/log';
/** The name the original logs under. */
const IDENT = 'conntrack-tools';
/** At most this many bytes a message: what receivers of RFC 3164 are bound to take. */
const MAX_BYTES = 1024;

/** Facility numbers, sys/syslog.h. */
export const SYSLOG_FACILITIES: Readonly<Record<string, number>> = {
  daemon: 3,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
};

/** Severity numbers, sys/syslog.h: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO. */
const SEVERITY: Readonly<Record<Level, number>> = { error: 3, warning: 4, notice: 5, info: 6 };

/** `<29>Sep 18 18:03:02 conntrack-tools[9759]: text`, as the C library's syslog(3) writes it to /dev/log. */
export function formatSyslog(facility: number, level: Level, text: string, date: Date, pid: number): string {
  return `<${facility * 8 + SEVERITY[level]}>${syslogDate(date)} ${IDENT}[${pid}]: ${text}`;
}

/** The system's log. A log daemon that is away, restarts or lags never holds up this one; lost lines are told. */
export class SyslogTransport extends Transport {
  private readonly socket: UnixDatagramSocket;
  private lost = 0;

  constructor(
    private readonly facility: number,
    path: string = LOG_PATH,
  ) {
    super();
    this.socket = new UnixDatagramSocket(path);
  }

  override log(record: LogRecord, next: () => void): void {
    if (this.lost > 0 && this.deliver('warning', `${this.lost} lines could not be sent here`, record.date)) {
      this.lost = 0;
    }
    // A datagram holds one line.
    for (const line of record.message.split('\n')) if (!this.deliver(record.level, line, record.date)) this.lost++;
    next();
  }

  override close(): void {
    this.socket.close();
  }

  private deliver(level: Level, text: string, date: Date): boolean {
    const message = Buffer.from(formatSyslog(this.facility, level, text, date, process.pid));
    return this.socket.send(message.subarray(0, MAX_BYTES));
  }
}
