import type { Logger } from '../base/logger.js';
import type { Config, StatsConfig } from '../config/model.js';
import { FlowFilter } from '../flow/filter.js';
import { checkTableLimit } from '../flow/table.js';
import { TableDump } from '../kernel/dump.js';
import { KernelRequests } from '../kernel/requests.js';
import { ConnectionLog } from '../log/connection-log.js';
import type { PreparedChange } from '../log/targets.js';
import { StatsCache } from '../stats/cache.js';
import { StatsEngine, type StatsSettings } from '../stats/engine.js';
import type { Daemon, DaemonContext } from './daemon.js';
import { DaemonEvents, isSameFilter } from './event-socket.js';
import { Latency } from './latency.js';
import { StatsService } from './stats-service.js';
import { Warnings } from './warnings.js';

/** A daemon in statistics mode. */
export class StatsDaemon implements Daemon {
  readonly service: StatsService;
  private readonly engine: StatsEngine;
  private readonly cache: StatsCache;
  private connectionLog: ConnectionLog | null;
  /** No flow is created with it: what it thinks of TCP windows is of no matter. */
  private readonly flushKernel = new KernelRequests(false);
  private readonly events: DaemonEvents;
  private readonly warnings: Warnings;

  constructor(
    private config: Config,
    log: Logger,
    { clock, scheduler, requestStop }: DaemonContext,
  ) {
    const { general } = config;
    this.connectionLog = openConnectionLog(config.stats);
    const cache = new StatsCache(general.hashLimit, clock, this.connectionLog);
    this.engine = new StatsEngine({
      settings: settingsOf(config),
      scheduler,
      log,
      cache,
      flushKernel: this.flushKernel,
      filter: general.filter && new FlowFilter(general.filter),
      openDump: (events) => new TableDump(events),
    });
    this.cache = cache;
    this.events = new DaemonEvents(general, false, this.engine, log);
    this.warnings = new Warnings({
      clock,
      scheduler,
      log,
      config: () => this.config,
      statistics: () => this.service.statistics(),
      eventPort: () => this.events.portId,
      links: () => ({ views: [], filter: null }),
    });
    this.service = new StatsService({
      engine: this.engine,
      cache,
      clock,
      latency: new Latency(),
      eventBufferSize: () => this.events.bufferSize,
      warnings: () => this.warnings.statistics(),
      requestStop,
    });
  }

  async start(): Promise<void> {
    // The event socket is there before the dump: what happens meanwhile waits in it and is newer than the dump.
    this.events.open();
    await this.engine.populate();
    this.events.start();
    this.engine.start();
    this.warnings.start();
  }

  reopenLogs(): void {
    this.connectionLog?.reopen();
  }

  prepareReload(config: Config): PreparedChange {
    checkTableLimit(config.general.hashLimit);
    const log = this.prepareLog(config.stats);
    const events = this.prepareEvents(config, log);
    return {
      apply: () => {
        const { filter } = this.config.general;
        log.apply();
        this.events.change(config.general, events);
        this.config = config;
        this.reconfigure(config);
        this.warnings.look();
        if (!isSameFilter(filter, config.general.filter)) {
          this.engine.refilter(config.general.filter && new FlowFilter(config.general.filter));
        }
      },
      cancel: () => {
        log.cancel();
        events?.close();
      },
    };
  }

  private prepareEvents({ general }: Config, log: PreparedChange) {
    try {
      return this.events.prepareChange(general);
    } catch (error) {
      log.cancel();
      throw error;
    }
  }

  private reconfigure(config: Config): void {
    this.cache.cache.table.limit = config.general.hashLimit;
    this.engine.reconfigure(settingsOf(config));
  }

  /** A log that came or went, or that goes elsewhere. */
  private prepareLog(stats: StatsConfig | null): PreparedChange {
    if (this.connectionLog !== null && stats !== null) return this.connectionLog.prepare(targetsOf(stats));
    const log = openConnectionLog(stats);
    return {
      apply: () => {
        this.connectionLog = log;
        this.cache.setSink(log);
      },
      cancel: () => log?.close(),
    };
  }

  async stop(): Promise<void> {
    this.warnings.close();
    this.events.close();
    this.engine.close();
    this.flushKernel.close();
    this.connectionLog?.close();
  }
}

function settingsOf({ general }: Config): StatsSettings {
  return { overrunResync: general.overrunResyncSeconds, pollSeconds: general.pollSeconds };
}

/** Null when no log is asked for: then no line is made at all. */
function openConnectionLog(stats: StatsConfig | null): ConnectionLog | null {
  if (stats === null || (stats.logFile === null && stats.syslog === null)) return null;
  return new ConnectionLog(targetsOf(stats));
}

function targetsOf({ logFile, syslog }: StatsConfig) {
  return { file: logFile, syslog };
}
