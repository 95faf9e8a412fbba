import type { Logger } from '../base/logger.js';
import type { FilterConfig, GeneralConfig } from '../config/model.js';
import { filterText } from '../config/print.js';
import { EventSource, type EventSourceEvents, type EventSourceOptions } from '../kernel/events.js';
import type { NewEvents } from '../sync/catch-up.js';

/** Who gets the events, and the filter's judgement of them with it. */
export interface EventReceiver extends EventSourceEvents {
  /** The kernel drops the events of flows that do not pass the filter: those that come need not be judged again. */
  trustEventFilter(): void;
}

/** The event socket of a daemon, as its configuration has it. */
export class DaemonEvents implements NewEvents {
  /** Null with PollSecs. */
  private source: EventSource | null = null;

  /** @param expectations events of expectations as well */
  constructor(
    private general: GeneralConfig,
    private readonly expectations: boolean,
    private readonly receiver: EventReceiver,
    private readonly log: Logger,
  ) {}

  /** Receive buffer in bytes: what the kernel reports, or what it would be asked for. */
  get bufferSize(): number {
    return this.source?.bufferSize ?? this.general.netlinkBufferSize ?? 0;
  }

  /** Netlink port of the socket; null with PollSecs. */
  get portId(): number | null {
    return this.source?.portId ?? null;
  }

  /** Opens the socket. Events wait in it until `start`. @throws SystemError */
  open(): void {
    this.source = this.prepare(this.general);
    if (this.source?.filtersInKernel) this.receiver.trustEventFilter();
  }

  start(): void {
    this.source?.start();
  }

  suspendNew(): boolean {
    this.source?.suspendNew();
    return this.source !== null;
  }

  resumeNew(): void {
    this.source?.resumeNew();
  }

  whenDrained(callback: () => void): void {
    if (this.source === null) setImmediate(callback);
    else this.source.whenDrained(callback);
  }

  close(): void {
    this.source?.close();
    this.source = null;
  }

  /**
   * What a changed configuration needs besides the present socket: one where there was none, open, in which events
   * already wait. @throws SystemError
   */
  prepareChange(general: GeneralConfig): EventSource | null {
    return this.source === null ? this.prepare(general) : null;
  }

  /** Goes on as another configuration has it. @param prepared of `prepareChange` */
  change(general: GeneralConfig, prepared: EventSource | null): void {
    const before = this.general.filter;
    this.general = general;
    if (general.pollSeconds !== null) {
      if (this.source !== null) this.log.notice('running in polling mode');
      this.close();
    } else if (prepared !== null) {
      this.source = prepared;
      prepared.start();
    } else {
      this.source?.reconfigure(this.options(general));
      if (!isSameFilter(before, general.filter)) this.source?.refilter(general.filter);
    }
  }

  private prepare(general: GeneralConfig): EventSource | null {
    if (general.pollSeconds === null) return new EventSource(this.options(general), this.receiver, this.log);
    if (general !== this.general) return null;
    this.log.notice('running in polling mode');
    return null;
  }

  private options(general: GeneralConfig): EventSourceOptions {
    return {
      iterationLimit: general.eventIterationLimit,
      bufferSize: general.netlinkBufferSize,
      bufferMaxGrowth: general.netlinkBufferSizeMaxGrowth,
      reliable: general.eventsReliable,
      expectations: this.expectations,
      filter: general.filter,
    };
  }
}

/** Whether two filters mean the same. */
export function isSameFilter(one: FilterConfig | null, other: FilterConfig | null): boolean {
  return (one && filterText(one)) === (other && filterText(other));
}
