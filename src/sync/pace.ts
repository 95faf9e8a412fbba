/** How much at once and how often: what the modes have in common. */

/** Flows sent before others get their turn: some 2 ms. */
export const TURN_FLOWS = 2048;
/** ALIVE, or an ACK, leaves so long after the last transmission (spec/sync.md). */
export const ALIVE_MS = 1000;
/** A resync of our own accord is asked for at most once in so long: each is a bulk for the peers. */
export const RESYNC_MS = 10_000;
/** `maximum elements` of the transmit queue in `-s queue`: it has no limit. */
export const UNLIMITED = 0x7fffffff;
