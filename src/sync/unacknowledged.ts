/** One message that waits for its acknowledgement, as `-s rsqueue` lists it. */
export interface UnacknowledgedVisitor {
  object(sequence: number): void;
  control(sequence: number, flags: number): void;
}
