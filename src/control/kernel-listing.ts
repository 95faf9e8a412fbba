import type { Clock } from '../base/clock.js';
import { type FormatOptions, formatFlowLine } from '../flow/format.js';
import { formatFlowJson, NOT_SHOWN } from '../flow/format-json.js';
import type { FlowScratch } from '../flow/scratch.js';
import { TextBuffer } from '../flow/text.js';
import type { ChunkSource } from './service.js';

/** Flows of the kernel, a few at a time; -1 at the end (src/kernel/table-reader.ts). */
export interface ListedFlows {
  open(): void;
  read(each: (flow: FlowScratch) => void): number;
  close(): void;
}

/** Bytes of one piece: some 500 lines. */
const CHUNK_BYTES = 65536;
/** Room for what one read of the kernel's table adds: 150 flows, a line or an object each. */
const READ_ROOM = 131072;

const LINE_FEED = 0x0a;
/** What the kernel's lines show that those of caches do not (spec/findings.md 38). */
const KERNEL_LINE = { timeout: true, counters: true, use: true };

/** `-i` without an internal cache: the kernel's flows, a line each, read as fast as the client takes them. */
export class KernelListing implements ChunkSource {
  private readonly out = new TextBuffer(CHUNK_BYTES + READ_ROOM);
  private ended = false;

  private shown: FormatOptions = KERNEL_LINE;

  /** @throws SystemError when the kernel refuses */
  constructor(
    private readonly flows: ListedFlows,
    private readonly clock: Clock,
    private readonly json: boolean = false,
  ) {
    flows.open();
  }

  /** @throws SystemError when the kernel refuses */
  next(): Uint8Array | null {
    const { out, flows } = this;
    out.clear();
    this.shown = { ...KERNEL_LINE, nowSeconds: this.clock.wallSeconds() };
    while (!this.ended && out.length < CHUNK_BYTES) this.ended = flows.read(this.line) < 0;
    return out.length === 0 ? null : out.bytes.subarray(0, out.length);
  }

  cancel(): void {
    this.flows.close();
  }

  private readonly line = (flow: FlowScratch): void => {
    const counters = flow.hasCounters ? flow.counters : null;
    if (this.json) formatFlowJson(this.out, flow, this.shown.nowSeconds!, NOT_SHOWN, NOT_SHOWN, counters);
    else formatFlowLine(this.out, flow, this.shown, counters);
    this.out.byte(LINE_FEED);
  };
}
