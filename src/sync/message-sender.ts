import type { Expectation } from '../flow/expectation.js';
import { STATE_ALIVE, STATE_DEAD, STATE_NEW } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { type Announcement, encodeAnnouncement } from '../wire/announcement.js';
import { encodeControl, encodeFlow } from '../wire/encode.js';
import { encodeExpectation } from '../wire/expectation.js';
import { FLAG_ALIVE, FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE } from '../wire/tables.js';
import type { SyncContext } from './mode.js';

/** Index = entry state (layout.ts): the type of its message (spec/findings.md 16). */
export const TYPE_OF_STATE = new Uint8Array(4);
TYPE_OF_STATE[STATE_NEW] = FLOW_NEW;
TYPE_OF_STATE[STATE_ALIVE] = FLOW_UPDATE;
TYPE_OF_STATE[STATE_DEAD] = FLOW_DESTROY;

/**
 * Writes the messages of a mode that acknowledges nothing: numbers them, the first with the time of day
 * (spec/findings.md 17), and knows when something last went out.
 */
export class MessageSender {
  /** When the last packet left, on the context's clock; before the first one, when the sender was made. */
  lastTransmissionMs: number;
  private nextSequence = 0;
  private begun = false;
  private unflushed = false;

  constructor(private readonly context: SyncContext) {
    this.lastTransmissionMs = context.clock.monotonicMs();
  }

  /** True when the link takes nothing at the moment, so that who can wait should. */
  get congested(): boolean {
    return this.context.sink.congested === true;
  }

  /** @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY */
  sendFlow(type: number, flow: FlowRef): void {
    const { sink, encode } = this.context;
    const sequence = this.takeSequence();
    const at = sink.reserve();
    sink.commit(encodeFlow(sink.out, at, type, 0, sequence, flow, encode));
  }

  /** @param type EXPECTATION_NEW, EXPECTATION_UPDATE or EXPECTATION_DESTROY */
  readonly sendExpectation = (type: number, expectation: Expectation): void => {
    const { sink, encode } = this.context;
    const sequence = this.takeSequence();
    const at = sink.reserve();
    sink.commit(encodeExpectation(sink.out, at, type, 0, sequence, expectation, encode.timeout));
  };

  /** Number of the next message. */
  get next(): number {
    return this.begun ? this.nextSequence : this.context.clock.wallSeconds() >>> 0;
  }

  sendAnnouncement(announcement: Announcement): void {
    const { sink } = this.context;
    const sequence = this.takeSequence();
    const at = sink.reserve();
    sink.commit(encodeAnnouncement(sink.out, at, FLAG_ALIVE, sequence, announcement));
  }

  sendControl(flags: number): void {
    const { sink } = this.context;
    const sequence = this.takeSequence();
    const at = sink.reserve();
    sink.commit(encodeControl(sink.out, at, flags, sequence, 0, 0));
  }

  /** What was written since the last call goes out. */
  flush(): void {
    if (!this.unflushed) return;
    this.unflushed = false;
    this.context.sink.flush();
    this.lastTransmissionMs = this.context.clock.monotonicMs();
  }

  private takeSequence(): number {
    if (!this.begun) {
      this.begun = true;
      this.nextSequence = this.context.clock.wallSeconds() >>> 0;
    }
    this.unflushed = true;
    const sequence = this.nextSequence;
    this.nextSequence = (sequence + 1) >>> 0;
    return sequence;
  }
}
