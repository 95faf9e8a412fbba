/**
 * Where a flow lies: a row and its aside record. One such object is made by each reader and pointed at flow after
 * flow (`FlowTable.point`), so that codecs and formatters serve table rows and scratches alike without allocating.
 */
export interface FlowRef {
  readonly words: Uint32Array;
  /** Index in `words` of the row's first word. */
  readonly at: number;
  readonly aside: Uint32Array;
  /** Index in `aside` of the record's first word; of no meaning when no K_ASIDE_MASK bit is set. */
  readonly asideAt: number;
  /** The security context when K_SECCTX is set. */
  readonly secctx: string;
}

const EMPTY = new Uint32Array(0);

/** A FlowRef that can be pointed elsewhere. */
export class FlowPointer implements FlowRef {
  words: Uint32Array = EMPTY;
  at = 0;
  aside: Uint32Array = EMPTY;
  asideAt = 0;
  secctx = '';
}
