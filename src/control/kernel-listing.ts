import type { Clock } from '../base/clock.js';
import { type FormatOptions, formatFlowLine } from '../flow/format.js';
import { formatFlowJson, NOT_SHOWN } from '../flow/format-json.js';
import type { FlowScratch } from '../flow/scratch.js';
import { TextBuffer } from '../flow/text.js';
import type { ChunkSource } from './service.js';

/** Flows of the kernel, a thousand at a time; 0: none are there yet, -1: the end (src/kernel/table-reader.ts). */
export interface ListedFlows {
  open(): void;
  read(each: (flow: FlowScratch) => void): number;
  whenReadable(callback: () => void): void;
  close(): void;
}

/** Bytes of one piece: some 500 lines. */
const CHUNK_BYTES = 65536;
/** Room for what one read of the kernel's table adds: some 1,200 flows, a line each; objects make it grow. */
const READ_ROOM = 262144;

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
    const { out } = this;
    out.clear();
    this.shown = { ...KERNEL_LINE, nowSeconds: this.clock.wallSeconds() };
    for (let read = 1; read > 0 && out.length < CHUNK_BYTES; ) read = this.read();
    return out.length === 0 && this.ended ? null : out.bytes.subarray(0, out.length);
  }

  whenReady(callback: () => void): void {
    this.flows.whenReadable(callback);
  }

  private read(): number {
    if (this.ended) return 0;
    const read = this.flows.read(this.line);
    this.ended = read < 0;
    return read;
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
