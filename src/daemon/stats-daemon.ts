import type { Logger } from '../base/logger.js';
import type { Config } from '../config/model.js';
import { FlowFilter } from '../flow/filter.js';
import { TableDump } from '../kernel/dump.js';
import type { EventSource } from '../kernel/events.js';
import { KernelRequests } from '../kernel/requests.js';
import { ConnectionLog } from '../log/connection-log.js';
import { StatsCache } from '../stats/cache.js';
import { StatsEngine } from '../stats/engine.js';
import type { Daemon, DaemonContext } from './daemon.js';
import { openEvents } from './event-socket.js';
import { Latency } from './latency.js';
import { StatsService } from './stats-service.js';

/** A daemon in statistics mode. */
export class StatsDaemon implements Daemon {
  readonly service: StatsService;
  private readonly engine: StatsEngine;
  private readonly connectionLog: ConnectionLog | null;
  /** No flow is created with it: what it thinks of TCP windows is of no matter. */
  private readonly flushKernel = new KernelRequests(false);
  private events: EventSource | null = null;

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
    { clock, scheduler, requestStop }: DaemonContext,
  ) {
    const { general } = config;
    this.connectionLog = openConnectionLog(config);
    const cache = new StatsCache(general.hashLimit, clock, this.connectionLog);
    this.engine = new StatsEngine({
      settings: { overrunResync: general.overrunResyncSeconds, pollSeconds: general.pollSeconds },
      scheduler,
      log,
      cache,
      flushKernel: this.flushKernel,
      filter: general.filter && new FlowFilter(general.filter),
      openDump: (events) => new TableDump(events),
    });
    this.service = new StatsService({
      engine: this.engine,
      cache,
      clock,
      latency: new Latency(),
      eventBufferSize: () => this.events?.bufferSize ?? general.netlinkBufferSize ?? 0,
      requestStop,
    });
  }

  async start(): Promise<void> {
    // The event socket is there before the dump: what happens meanwhile waits in it and is newer than the dump.
    this.events = openEvents(this.config.general, false, this.engine, this.log);
    await this.engine.populate();
    this.events?.start();
    this.engine.start();
  }

  reopenLogs(): void {
    this.connectionLog?.reopen();
  }

  async stop(): Promise<void> {
    this.events?.close();
    this.engine.close();
    this.flushKernel.close();
    this.connectionLog?.close();
  }
}

/** Null when no log is asked for: then no line is made at all. */
function openConnectionLog({ stats }: Config): ConnectionLog | null {
  if (stats === null || (stats.logFile === null && stats.syslog === null)) return null;
  return new ConnectionLog({ file: stats.logFile, syslog: stats.syslog });
}
