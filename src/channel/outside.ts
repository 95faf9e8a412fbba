import { POLL_READABLE } from '../native/constants.js';
import { Poll, receiveBatch } from '../native/index.js';
import type { Guard } from './security.js';

/** Datagrams per turn: what waits beyond them the kernel may drop. */
const BATCH = 64;
/** Nothing of them is read but that they were there. */
const SLOT_BYTES = 4;

/** Counts what comes to the link's address and port, but over another interface than the link's. */
export class OutsideCounter {
  private readonly lengths = new Int32Array(BATCH);
  private readonly buffer = new ArrayBuffer(BATCH * SLOT_BYTES);
  private poll: Poll | null = null;
  private fd = -1;

  constructor(private readonly guard: Guard) {}

  /** @param fd bound to address and port and to no interface; stays the caller's, to be closed after `close` */
  open(fd: number): void {
    this.fd = fd;
    this.poll = new Poll(fd, () => this.count());
    this.poll.start(POLL_READABLE);
  }

  close(): void {
    this.poll?.close();
    this.poll = null;
  }

  private count(): void {
    const count = receiveBatch(this.fd, this.buffer, SLOT_BYTES, BATCH, this.lengths, null);
    if (count > 0) this.guard.cameOverAnotherInterface(count);
  }
}
