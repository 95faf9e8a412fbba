import type { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import { FlowScratch } from '../flow/scratch.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { decodeFlow } from '../netlink/decode.js';
import { EVENT_DESTROY, EVENT_NEW, EVENT_UPDATE, eventOf, flagsOf, lengthOf, portIdOf } from '../netlink/message.js';

/** Who keeps, or passes on, what the kernel tells about flows. The flow is valid until the call returns. */
export interface FlowEventTarget {
  /** @param own a request of this daemon caused it */
  onNew(flow: FlowScratch, own: boolean): void;
  onUpdate(flow: FlowScratch, own: boolean): void;
  onDestroy(flow: FlowScratch, own: boolean): void;
}

/** No port has this number: the kernel's are unsigned. */
export const NO_PORT = -1;

export interface FlowEventContext {
  readonly target: FlowEventTarget;
  readonly counters: KernelCounters;
  /** Which flows count; null: all. */
  readonly filter: FlowFilter | null;
  /** What events carry that our own requests cause; NO_PORT: there are none. */
  readonly ownPort: number;
  /** The same, of the requests at the end of PurgeTimeout. */
  readonly purgePort: number;
  /** Events with this port are passed over. */
  readonly ignoredPort: number;
}

/** Reads the kernel's events of flows, judges them by the filter and hands them on. */
export class FlowEvents {
  private readonly scratch = new FlowScratch();
  /** Judges events; null when all pass or the kernel judges them. */
  private filter: FlowFilter | null;

  constructor(private readonly context: FlowEventContext) {
    this.filter = context.filter;
  }

  /** The kernel drops the events of flows that do not pass the filter: those that come are not judged again. */
  trustKernel(): void {
    this.filter = null;
  }

  /** Another filter, null: none. Events are judged by it, also while the kernel has one: some may be older than that. */
  judgeBy(filter: FlowFilter | null): void {
    this.filter = filter;
  }

  /** One message of the kernel's conntrack subsystem, of this type, at byte `at` of `views`. */
  apply(views: Views, at: number, type: number): void {
    const { counters, target, ownPort, purgePort, ignoredPort } = this.context;
    counters.eventsReceived++;
    const port = portIdOf(views, at);
    if (port === ignoredPort) return;
    const scratch = this.scratch;
    if (!decodeFlow(views, at, at + lengthOf(views, at), scratch)) {
      counters.eventsUnknown++;
      return;
    }
    const kind = eventOf(type, flagsOf(views, at));
    if (this.filter !== null && !this.passes(kind, this.filter)) {
      counters.eventsFiltered++;
      return;
    }
    const own = port === ownPort || port === purgePort;
    switch (kind) {
      case EVENT_NEW:
        target.onNew(scratch, own);
        return;
      case EVENT_UPDATE:
        target.onUpdate(scratch, own);
        return;
      case EVENT_DESTROY:
        target.onDestroy(scratch, own);
        return;
      default:
        counters.eventsUnknown++;
    }
  }

  /** A flow that was held while its state passed has to end whatever state it ends in. */
  private passes(kind: number, filter: FlowFilter): boolean {
    return kind === EVENT_DESTROY ? filter.passesWhateverState(this.scratch) : filter.passes(this.scratch);
  }
}
