/**
 * How long, in milliseconds, a source of input keeps the event loop before everything else has its turn, however much
 * waits: together with a dump's or a commit's slice (2 ms) five. How many pieces are handled by then is up to the machine, so
 * their number alone bounds nothing.
 */
export const TURN_MS = 3;
