/** Limits of an interval given as an option, in seconds. */
export const SHORTEST_INTERVAL = 0.1;
export const LONGEST_INTERVAL = 86_400;
