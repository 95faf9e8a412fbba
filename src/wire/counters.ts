/**
 * What can be wrong with a received message, and which counters of `conntrackd -s network` each kind of wrong moves.
 * Source: spec/wire.md "Checks on receipt" and fixtures/wire/dialogue.ftfw-malformed.json.
 */

/** The message is sound. */
export const OK = 0;
/** A stream has not delivered the whole message yet; nothing is wrong. */
export const INCOMPLETE = 1;
/** Fewer bytes than a header needs. */
export const TRUNCATED = 2;
/** A length field that is 0, too small, or beyond what arrived. */
export const BAD_SIZE = 3;
/** Another protocol version. */
export const WRONG_VERSION = 4;
/** The mode does not take such a message: flags it does not know, an ACK whose range runs backwards. */
export const MALFORMED_HEADER = 5;
/** A type that neither data nor control has. */
export const BAD_TYPE = 6;
/** Attributes that cannot be understood, or that make no flow. */
export const MALFORMED_PAYLOAD = 7;

/** Result of reading a message: 0 = sound, 1 = wait, more = what is wrong. */
export type ReadResult = number;

/** One counter of the receive side, in the order of `-s network`. */
export interface ReceiveCounter {
  readonly name: string;
  /** Its line in `-s network`, without the colon. */
  readonly label: string;
}

/** The receive counters of `-s network`, in its order; index = number of the counter. */
export const RECEIVE_COUNTERS: readonly ReceiveCounter[] = [
  { name: 'malformed', label: 'Malformed messages' },
  { name: 'wrongVersion', label: 'Wrong protocol version' },
  { name: 'malformedHeader', label: 'Malformed header' },
  { name: 'malformedPayload', label: 'Malformed payload' },
  { name: 'badType', label: 'Bad message type' },
  { name: 'truncated', label: 'Truncated message' },
  { name: 'badSize', label: 'Bad message size' },
];

/** Number of the counter that every bad message moves. */
export const MALFORMED_COUNTER = 0;

/** Which counter a result moves besides the malformed one; index = result, -1 = none at all. */
const COUNTER_OF_RESULT: readonly number[] = [-1, -1, 5, 6, 1, 2, 4, 3];

/** What came in bad, and what could not go out. Plain numbers: exact up to 2^53. */
export class MessageCounters {
  /** Index = position in RECEIVE_COUNTERS. */
  readonly received = new Float64Array(RECEIVE_COUNTERS.length);
  /** Messages that could not be sent because they do not fit (`send: Malformed messages`). */
  sendMalformed = 0;

  /** Counts a bad message; `OK` and `INCOMPLETE` count nothing. */
  count(result: ReadResult): void {
    const counter = COUNTER_OF_RESULT[result] ?? -1;
    if (counter < 0) return;
    this.received[MALFORMED_COUNTER]! += 1;
    this.received[counter]! += 1;
  }

  /** The value of a counter by its name in RECEIVE_COUNTERS. */
  value(name: string): number {
    const index = RECEIVE_COUNTERS.findIndex((counter) => counter.name === name);
    return this.received[index] ?? 0;
  }
}
