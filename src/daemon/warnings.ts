import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import type { LinkView } from '../channel/links.js';
import type { Config } from '../config/model.js';
import type { DaemonStatistics, WarningStatistics } from '../control/statistics.js';
import type { FlowFilter } from '../flow/filter.js';
import { droppedMessages, forwardedPackets, readKernelSettings, readSetting } from '../kernel/proc.js';
import { TrackingProbe } from '../kernel/tracking.js';
import { findReplicatedLinks } from './link-flows.js';
import { type KernelFiles, WarningObserver } from './warning-observer.js';
import { WarningWatch } from './warning-watch.js';

export interface WarningsContext {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** The configuration in force. */
  config(): Config;
  statistics(): DaemonStatistics;
  /** Netlink port of the event socket; null: there is none. */
  eventPort(): number | null;
  /** The dedicated links, and the filter in force. */
  links(): { readonly views: readonly LinkView[]; readonly filter: FlowFilter | null };
}

const FILES: KernelFiles = {
  settings: readKernelSettings,
  flows: () => readSetting('nf_conntrack_count'),
  forwardedPackets,
  droppedMessages,
};

/** The warnings of a daemon that runs: the watch, what it looks at, and the socket that asks the kernel. */
export class Warnings {
  private readonly watch: WarningWatch;
  private probe: TrackingProbe | null = null;

  private replicated: readonly string[] = [];
  private failure: Error | null = null;

  constructor(private readonly context: WarningsContext) {
    const observer = new WarningObserver({
      ...context,
      files: FILES,
      tracksConnections: () => this.probe?.tracksConnections() ?? null,
      replicatedLinks: () => {
        if (this.failure !== null) throw this.failure;
        return this.replicated;
      },
    });
    this.watch = new WarningWatch({
      ...context,
      prepare: (ready) => this.askAboutLinks(ready),
      observe: () => observer.observe(),
    });
  }

  private askAboutLinks(ready: () => void): void {
    if (this.probe === null) return;
    const { views, filter } = this.context.links();
    findReplicatedLinks(views, filter, this.probe, (links, error) => {
      this.replicated = links;
      this.failure = error;
      ready();
    });
  }

  /** @throws SystemError when the kernel gives no socket */
  start(): void {
    this.probe = new TrackingProbe();
    this.watch.start();
  }

  /** Looks soon: the configuration has changed. */
  look(): void {
    this.watch.start();
  }

  statistics(): WarningStatistics[] {
    return this.watch.statistics();
  }

  close(): void {
    this.watch.close();
    this.probe?.close();
    this.probe = null;
  }
}
