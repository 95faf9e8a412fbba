import type { FlowRef } from '../flow/ref.js';
import type { FlowScratch } from '../flow/scratch.js';
import { FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE } from '../wire/tables.js';

/** The lines of `internal bypass:`. */
export class BypassCounters {
  created = 0;
  updated = 0;
  destroyed = 0;
}

/**
 * DisableInternalCache: what the kernel tells goes to the peers as it is (spec/findings.md 15). Events of our own
 * commits are neither sent nor counted (observed on the original).
 */
export class InternalBypass {
  readonly counters = new BypassCounters();
  /** Packets and bytes of destroyed flows, both directions: `traffic processed`. */
  processedBytes = 0;
  processedPackets = 0;

  /** @param send writes the message of an event. @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY */
  constructor(private readonly send: (type: number, flow: FlowRef) => void) {}

  onNew(flow: FlowRef, own: boolean): void {
    if (own) return;
    this.counters.created++;
    this.send(FLOW_NEW, flow);
  }

  onUpdate(flow: FlowRef, own: boolean): void {
    if (own) return;
    this.counters.updated++;
    this.send(FLOW_UPDATE, flow);
  }

  onDestroy(flow: FlowScratch, own: boolean): void {
    if (own) return;
    this.counters.destroyed++;
    if (flow.hasCounters) {
      this.processedPackets += flow.counters[0]! + flow.counters[2]!;
      this.processedBytes += flow.counters[1]! + flow.counters[3]!;
    }
    this.send(FLOW_DESTROY, flow);
  }

  /** There is nothing to flush. */
  flush(): void {}
}
