/** Number of a row in a FlowTable. Stays the flow's own until the row is removed; then another flow may get it. */
export type FlowRow = number & { readonly flowRow: unique symbol };

/** No row: nothing found, nothing left, no room. */
export const NO_ROW = -1 as FlowRow;
