import type { Clock } from '../base/clock.js';
import type { FlowEventTarget } from '../cache/flow-events.js';
import { InternalCache } from '../cache/internal.js';
import { formatFlowLine } from '../flow/format.js';
import { STATE_DEAD } from '../flow/layout.js';
import { FlowPointer } from '../flow/ref.js';
import type { FlowScratch } from '../flow/scratch.js';
import type { FlowRow } from '../flow/table.js';
import { TextBuffer } from '../flow/text.js';

/** Where the lines of ended flows go. */
export interface ConnectionSink {
  /** Whole lines, each with its line feed, without a date; they stay untouched until the call returns. */
  write(lines: Uint8Array): void;
}

/** Lines gathered before they are passed on, in bytes: a busy turn then costs a few system calls, not thousands. */
const GATHERED_BYTES = 65_536;
/** Room for the line that crosses the mark. */
const LINE_ROOM = 2048;
const LINE_FEED = 0x0a;

/**
 * The flows of this machine, one line of text for each that ends.
 *
 * A flow that was never held leaves no line, as with the original. The line shows what the event of the end tells,
 * packets and bytes among it when the kernel counts them (nf_conntrack_acct). Where there was no such event, after an
 * overrun and with PollSecs, it shows what the cache has.
 */
export class StatsCache implements FlowEventTarget {
  readonly cache: InternalCache;
  private readonly lines = new TextBuffer(GATHERED_BYTES + LINE_ROOM);
  private readonly pointer = new FlowPointer();
  /** Of the event that is being handled. */
  private ending: FlowScratch | null = null;
  private readonly withCounters = { counters: true };

  constructor(
    /** HashLimit. */
    limit: number,
    private readonly clock: Clock,
    /** Null: nobody wants the lines. */
    private sink: ConnectionSink | null,
  ) {
    this.cache = new InternalCache(limit, clock, { changed: (row) => this.changed(row) });
  }

  /** Another log; null: none. */
  setSink(sink: ConnectionSink | null): void {
    this.flushLines();
    this.sink = sink;
  }

  onNew(flow: FlowScratch): void {
    this.cache.onNew(flow, false);
  }

  onUpdate(flow: FlowScratch): void {
    this.cache.onUpdate(flow, false);
  }

  onDestroy(flow: FlowScratch): void {
    this.ending = flow;
    this.cache.onDestroy(flow, false);
    this.ending = null;
  }

  /** Passes on the lines that are still here; at the end of each turn. */
  flushLines(): void {
    const { lines } = this;
    if (lines.length === 0) return;
    this.sink?.write(lines.bytes.subarray(0, lines.length));
    lines.clear();
  }

  private changed(row: FlowRow): void {
    if (this.cache.table.state(row) !== STATE_DEAD) return;
    if (this.sink !== null) this.line(row);
    // Nobody is to be told, so nothing keeps the entry.
    this.cache.release(row);
  }

  private line(row: FlowRow): void {
    const { ending, lines } = this;
    if (ending !== null) {
      formatFlowLine(lines, ending, this.withCounters, ending.hasCounters ? ending.counters : null);
    } else {
      this.cache.table.point(row, this.pointer);
      formatFlowLine(lines, this.pointer, { nowSeconds: this.clock.wallSeconds() });
    }
    lines.byte(LINE_FEED);
    if (lines.length >= GATHERED_BYTES) this.flushLines();
  }
}
