import type { Views } from '../base/views.js';
import type { FlowFilter } from '../flow/filter.js';
import { FlowScratch } from '../flow/scratch.js';
import { MOST_PREFETCHED } from '../flow/table.js';
import type { KernelCounters } from '../kernel/statistics.js';
import { decodeFlow } from '../netlink/decode.js';
import {
  EVENT_DESTROY,
  EVENT_NEW,
  EVENT_NONE,
  EVENT_UPDATE,
  eventOf,
  flagsOf,
  lengthOf,
  portIdOf,
} from '../netlink/message.js';

/** Who keeps, or passes on, what the kernel tells about flows. The flow is valid until the call returns. */
export interface FlowEventTarget {
  /** @param own a request of this daemon caused it */
  onNew(flow: FlowScratch, own: boolean): void;
  onUpdate(flow: FlowScratch, own: boolean): void;
  onDestroy(flow: FlowScratch, own: boolean): void;
  /** The first `count` of these are what the next calls will be about. */
  expect?(flows: readonly FlowScratch[], count: number): void;
}

/** Added to an EVENT_ number: a request of this daemon caused it. */
const OWN = 16;

/** No port has this number: the kernel's are unsigned. */
export const NO_PORT = -1;

export interface FlowEventContext {
  readonly target: FlowEventTarget;
  readonly counters: KernelCounters;
  /** Which flows count; null: all. */
  readonly filter: FlowFilter | null;
  /** What events carry that our own requests cause; NO_PORT: there are none. */
  readonly ownPort: number;
  /** The same, of the requests that flush the kernel's table. */
  readonly flushPort: number;
  /** Events with this port are passed over. */
  readonly ignoredPort: number;
}

/** Reads the kernel's events of flows, judges them by the filter and hands them on. */
export class FlowEvents {
  /** Flows of events that wait for others to be looked up together with them, and what is to be done with each. */
  private readonly batch: readonly FlowScratch[] = Array.from({ length: MOST_PREFETCHED }, () => new FlowScratch());
  private readonly actions = new Uint8Array(MOST_PREFETCHED);
  private waiting = 0;
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
    this.gather(views, at, type);
    this.flush();
  }

  /** The same, in a while: at the latest when `flush` is called, and in the order they came. */
  gather(views: Views, at: number, type: number): void {
    const { counters, ownPort, flushPort, ignoredPort } = this.context;
    counters.eventsReceived++;
    const port = portIdOf(views, at);
    if (port === ignoredPort) return;
    const flow = this.batch[this.waiting]!;
    const kind = eventOf(type, flagsOf(views, at));
    if (!decodeFlow(views, at, at + lengthOf(views, at), flow) || kind === EVENT_NONE) {
      counters.eventsUnknown++;
      return;
    }
    if (this.filter !== null && !passes(kind, this.filter, flow)) {
      counters.eventsFiltered++;
      return;
    }
    this.actions[this.waiting++] = port === ownPort || port === flushPort ? kind | OWN : kind;
    if (this.waiting === MOST_PREFETCHED) this.flush();
  }

  /** Hands on what was gathered. */
  flush(): void {
    const { batch, actions } = this;
    const { target } = this.context;
    const count = this.waiting;
    if (count === 0) return;
    this.waiting = 0;
    if (count > 1) target.expect?.(batch, count);
    for (let number = 0; number < count; number++) this.handOn(batch[number]!, actions[number]!);
  }

  private handOn(flow: FlowScratch, action: number): void {
    const { target } = this.context;
    const own = (action & OWN) !== 0;
    switch (action & ~OWN) {
      case EVENT_NEW:
        target.onNew(flow, own);
        return;
      case EVENT_UPDATE:
        target.onUpdate(flow, own);
        return;
      case EVENT_DESTROY:
        target.onDestroy(flow, own);
    }
  }
}

/** A flow that was held while its state passed has to end whatever state it ends in. */
function passes(kind: number, filter: FlowFilter, flow: FlowScratch): boolean {
  return kind === EVENT_DESTROY ? filter.passesWhateverState(flow) : filter.passes(flow);
}
