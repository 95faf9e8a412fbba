import type { Clock } from '../base/clock.js';
import { type FormatOptions, formatAges, formatFlowLine } from '../flow/format.js';
import { formatFlowJson, NOT_SHOWN } from '../flow/format-json.js';
import { formatFlowXml } from '../flow/format-xml.js';
import { CREATED, STATE_DEAD, UPDATED } from '../flow/layout.js';
import { FlowPointer } from '../flow/ref.js';
import { type FlowTable, NO_ROW } from '../flow/table.js';
import { TextBuffer } from '../flow/text.js';
import type { ChunkSource, DumpForm } from './service.js';

/** Bytes of one piece of a dump: some 400 flows, well below a millisecond of work. */
const CHUNK_BYTES = 65536;
/** Room for the line that crosses the mark. */
const LINE_ROOM = 4096;

const LINE_FEED = 0x0a;
/**
 * `-i` and `-e`: the living entries of a table, a line, an XML document or a JSON object each, made as fast as the reader takes them.
 * Entries that come or go while it is read may or may not be in it; the others are, once.
 */
export class FlowDump implements ChunkSource {
  private readonly out = new TextBuffer(CHUNK_BYTES + LINE_ROOM);
  private readonly pointer = new FlowPointer();
  private row = 0;

  constructor(
    private readonly table: FlowTable,
    private readonly clock: Clock,
    private readonly form: DumpForm,
    /** Seconds after its last update at which an entry vanishes; null: never. */
    private readonly lifetimeSeconds: number | null = null,
  ) {}

  next(): Uint8Array | null {
    const { out, table } = this;
    out.clear();
    const nowSeconds = Math.floor(this.clock.monotonicMs() / 1000);
    // With nf_conntrack_timestamp the line of a flow shows its age.
    const shown: FormatOptions = { nowSeconds: this.clock.wallSeconds() };
    let row = table.next(this.row);
    while (row !== NO_ROW && out.length < CHUNK_BYTES) {
      if (table.state(row) !== STATE_DEAD) {
        table.point(row, this.pointer);
        this.entry(nowSeconds, shown);
      }
      row = table.next(row + 1);
    }
    this.row = row === NO_ROW ? Number.MAX_SAFE_INTEGER : row;
    return out.length === 0 ? null : out.bytes.subarray(0, out.length);
  }

  private entry(nowSeconds: number, shown: FormatOptions): void {
    const { out, pointer } = this;
    const activeSeconds = nowSeconds - pointer.words[pointer.at + CREATED]!;
    if (this.form === 'xml') {
      formatFlowXml(out, pointer, shown);
    } else if (this.form === 'json') {
      formatFlowJson(out, pointer, shown.nowSeconds!, activeSeconds, this.expiresIn(nowSeconds));
    } else {
      formatFlowLine(out, pointer, shown);
      formatAges(out, this.expiresIn(nowSeconds), activeSeconds);
    }
    out.byte(LINE_FEED);
  }

  /** Whole seconds that are left for sure, as the original counts: right after an update one less than the lifetime. */
  private expiresIn(nowSeconds: number): number {
    if (this.lifetimeSeconds === null) return NOT_SHOWN;
    const { words, at } = this.pointer;
    return Math.max(0, words[at + UPDATED]! + this.lifetimeSeconds - nowSeconds - 1);
  }
}
