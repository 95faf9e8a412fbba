import { SystemError } from '../base/errors.js';
import { Views } from '../base/views.js';
import type { Expectation } from '../flow/expectation.js';
import type { FlowRef } from '../flow/ref.js';
import * as native from '../native/index.js';
import { encodeCreate, encodeDelete, encodeUpdate, MAX_REQUEST_BYTES, TIMEOUT_AS_KNOWN } from '../netlink/encode.js';
import {
  encodeExpectationCreate,
  encodeExpectationDelete,
  encodeExpectationFlush,
  MAX_EXPECTATION_REQUEST_BYTES,
} from '../netlink/expectation-encode.js';
import {
  errorOf,
  isWhole,
  NLM_F_ACK,
  NLMSG_ALIGN,
  NLMSG_ERROR,
  nextOf,
  sequenceOf,
  typeOf,
} from '../netlink/message.js';
import { NetfilterSocket, netfilterFailure } from './socket.js';

/** Requests handed over in one system call: beyond some 256 the cost of a call no longer shows (spec/kernel.md). */
const CALL_REQUESTS = 256;
/** The kernel's memory for the answer to a request that failed: about 1 KiB. The receive buffer has room for all. */
const ANSWER_MEMORY = 4096;
/** An answer is a netlink header, an error number and the request's header (NETLINK_CAP_ACK). */
const ANSWER_SLOT = 256;
const ANSWER_SLOTS = 64;

/** The larger of the two kinds. */
const REQUEST_BYTES = Math.max(MAX_REQUEST_BYTES, MAX_EXPECTATION_REQUEST_BYTES);

/** No tag: the failure of this request concerns nobody. */
const NO_TAG = -1;

/** Batches kept for reuse: one is filled while another is with the kernel. */
const SPARE_BATCHES = 1;

/** Requests that go to the kernel together. */
class RequestBatch {
  readonly out: Views;
  readonly tags: Int32Array;
  /** Where in `out` the share of each system call ends. */
  readonly ends: Uint32Array;
  /** Byte offset of the last request: the one that asks for the acknowledgement. */
  lastAt = 0;
  length = 0;
  count = 0;
  /** Sequence number of the first request. */
  first = 1;

  constructor(calls: number) {
    this.out = new Views(calls * CALL_REQUESTS * REQUEST_BYTES);
    this.tags = new Int32Array(calls * CALL_REQUESTS);
    this.ends = new Uint32Array(calls);
  }

  /** System calls that it takes. */
  get calls(): number {
    return Math.ceil(this.count / CALL_REQUESTS);
  }

  /** What was added belongs to a system call with what is before it. */
  endCall(): void {
    this.ends[this.calls - 1] = this.length;
  }

  /** Empties it. */
  begin(first: number): void {
    this.first = first;
    this.count = 0;
    this.length = 0;
  }

  /** Sequence number of the first request behind it, so that answers of two batches never mix. */
  get following(): number {
    return (this.first + this.count) >>> 0 || 1;
  }
}

/** What waits for the other thread. */
interface Errand {
  /** Null: nothing is to be sent, only told when it is its turn. */
  readonly batch: RequestBatch | null;
  readonly failed: (tag: number, errno: number) => void;
  readonly done: (error: Error | null) => void;
}

/**
 * Requests to the kernel's conntrack table, hundreds in one system call. The kernel carries out all of them before
 * the call returns; only the last asks for an acknowledgement, of the others only failures answer, and the sequence
 * number tells which (spec/kernel.md).
 */
export class KernelRequests {
  private readonly socket = new NetfilterSocket(0);
  private batch: RequestBatch;
  private readonly spare: RequestBatch[] = [];
  /** In the order in which they were handed over; the first is with the other thread. */
  private readonly errands: Errand[] = [];
  private readonly answers = new Views(ANSWER_SLOTS * ANSWER_SLOT);
  private readonly answerLengths = new Int32Array(ANSWER_SLOTS);
  /** The other thread has the socket. */
  private sending = false;
  private open = true;

  /** Filled anew for every request, so that none allocates. */
  private readonly options: {
    sequence: number;
    ack: boolean;
    timeout: number;
    windowTracking: boolean;
    without: number;
  };

  /**
   * @param windowTracking TCPWindowTracking: off sets the be-liberal flags on TCP flows
   * @param calls system calls that a batch takes at most; `submit` lets everything else wait for all of them
   */
  constructor(
    windowTracking: boolean,
    private readonly calls = 1,
  ) {
    this.options = { sequence: 0, ack: false, timeout: 0, windowTracking, without: 0 };
    this.batch = new RequestBatch(calls);
    this.socket.setReceiveBuffer(calls * CALL_REQUESTS * ANSWER_MEMORY);
    this.socket.setShortAnswers();
  }

  /** TCPWindowTracking, from the next request on. */
  setWindowTracking(on: boolean): void {
    this.options.windowTracking = on;
  }

  /** Events that these requests cause carry this port id. */
  get portId(): number {
    return this.socket.portId;
  }

  get room(): number {
    return this.calls * CALL_REQUESTS - this.batch.count;
  }

  create(flow: FlowRef, timeoutSeconds: number, tag: number): void {
    this.next(timeoutSeconds);
    this.add(encodeCreate(this.batch.out, this.batch.length, flow, this.options), tag);
  }

  /** Adds "give the flow these values", its timeout included. @param without K_ bits of attributes to leave out */
  update(flow: FlowRef, tag: number, without: number): void {
    this.next(TIMEOUT_AS_KNOWN);
    this.options.without = without;
    this.add(encodeUpdate(this.batch.out, this.batch.length, flow, this.options), tag);
    this.options.without = 0;
  }

  /** The same with another timeout. @param tag comes back with a failure, the flow not being there included */
  change(flow: FlowRef, timeoutSeconds: number, tag: number, without: number): void {
    this.next(timeoutSeconds);
    this.options.without = without;
    this.add(encodeUpdate(this.batch.out, this.batch.length, flow, this.options), tag);
    this.options.without = 0;
  }

  /** @param tag given: a failure is reported with it, the flow not being there included */
  delete(flow: FlowRef, timeoutSeconds: number, tag = NO_TAG): void {
    this.next(timeoutSeconds);
    this.add(encodeDelete(this.batch.out, this.batch.length, flow, this.options), tag);
  }

  /** Requests about expectations go into the same batch and count in `room` like those about flows. */
  createExpectation(expectation: Expectation, timeoutSeconds: number, setup: boolean, tag: number): void {
    this.next(timeoutSeconds);
    this.add(encodeExpectationCreate(this.batch.out, this.batch.length, expectation, { ...this.options, setup }), tag);
  }

  deleteExpectation(expectation: Expectation, timeoutSeconds: number, tag = NO_TAG): void {
    this.next(timeoutSeconds);
    this.add(
      encodeExpectationDelete(this.batch.out, this.batch.length, expectation, { ...this.options, setup: false }),
      tag,
    );
  }

  /** Adds "delete all expectations". @param tag comes back with a failure */
  flushExpectations(tag: number): void {
    this.next(0);
    this.add(encodeExpectationFlush(this.batch.out, this.batch.length, this.options.sequence, false), tag);
  }

  /**
   * Hands the batch over and reports what failed. It waits as long as somebody else holds the kernel's table, seconds of a
   * large one that is emptied: what the event loop asks goes by `submitAhead`.
   *
   * @throws SystemError when the kernel took nothing of it
   */
  submit(failed: (tag: number, errno: number) => void): void {
    const { batch } = this;
    if (batch.count === 0) return;
    this.seal(batch);
    try {
      this.sendNow(batch, failed);
    } finally {
      batch.begin(batch.following);
    }
  }

  private sendNow(batch: RequestBatch, failed: (tag: number, errno: number) => void): void {
    const { out, ends, calls } = batch;
    let taken = 0;
    let sent = 0;
    for (let begin = 0; taken < calls; begin = ends[taken++]!) {
      sent = native.send(this.socket.fd, out.buffer, begin, ends[taken]! - begin);
      if (sent < 0) break;
    }
    this.finish(batch, taken, sent, failed);
  }

  /**
   * The same, while the caller goes on with the next batch: the kernel carries it out in another thread, batch after batch
   * in the order in which they were handed over. How many may wait is the caller's business; no `submit` until all are done.
   *
   * @param done called behind the failures, with the error when the kernel took nothing of it; never after `close`. Of an
   *   empty batch: when all that was handed over before is done
   */
  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    const { batch } = this;
    const isEmpty = batch.count === 0;
    if (!isEmpty) {
      this.seal(batch);
      this.batch = this.spare.pop() ?? new RequestBatch(this.calls);
      this.batch.begin(batch.following);
    }
    this.errands.push({ batch: isEmpty ? null : batch, failed, done });
    this.sendNext();
  }

  errorText(errno: number): string {
    return native.errnoText(errno);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    if (!this.sending) this.socket.close();
  }

  private next(timeoutSeconds: number): void {
    this.options.sequence = (this.batch.first + this.batch.count) >>> 0;
    this.options.timeout = timeoutSeconds;
  }

  private add(length: number, tag: number): void {
    const { batch } = this;
    batch.tags[batch.count++] = tag;
    batch.lastAt = batch.length;
    batch.length += NLMSG_ALIGN(length);
    if (batch.count % CALL_REQUESTS === 0) batch.endCall();
  }

  /** Nothing is added any more; its last request asks for an answer. */
  private seal(batch: RequestBatch): void {
    batch.out.u16[(batch.lastAt + 6) >>> 1]! |= NLM_F_ACK;
    batch.endCall();
  }

  /** Unless the other thread has something to do already. */
  private sendNext(): void {
    while (!this.sending && this.open && this.errands.length > 0) {
      const { batch, done } = this.errands[0]!;
      if (batch === null) {
        this.errands.shift();
        done(null);
      } else {
        this.sending = true;
        native.sendPiecesAhead(this.socket.fd, batch.out.buffer, batch.ends, batch.calls, this.sent);
      }
    }
  }

  private readonly sent = (taken: number, last: number): void => {
    this.sending = false;
    if (!this.open) {
      this.socket.close();
      return;
    }
    const { batch, failed, done } = this.errands.shift()!;
    const problem = this.problemOf(batch!, taken, last, failed);
    if (this.spare.length < SPARE_BATCHES) this.spare.push(batch!);
    done(problem);
    this.sendNext();
  };

  private problemOf(
    batch: RequestBatch,
    taken: number,
    last: number,
    failed: (tag: number, errno: number) => void,
  ): Error | null {
    try {
      this.finish(batch, taken, last, failed);
      return null;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return error;
    }
  }

  /**
   * @param taken system calls that the kernel has carried out
   * @param last what the last one returned
   * @throws SystemError
   */
  private finish(batch: RequestBatch, taken: number, last: number, failed: (tag: number, errno: number) => void): void {
    if (taken === 0) throw netfilterFailure('send', -last);
    this.readAnswers(batch, failed);
    if (last >= 0) return;
    for (let index = taken * CALL_REQUESTS; index < batch.count; index++) {
      if (batch.tags[index] !== NO_TAG) failed(batch.tags[index]!, -last);
    }
  }

  /** The kernel answered before send() returned, so everything there is to read is there now. */
  private readAnswers(batch: RequestBatch, failed: (tag: number, errno: number) => void): void {
    const { answers, answerLengths, socket } = this;
    for (;;) {
      const received = native.receiveBatch(socket.fd, answers.buffer, ANSWER_SLOT, ANSWER_SLOTS, answerLengths, null);
      if (received < 0) throw netfilterFailure('recvmmsg', -received);
      for (let slot = 0; slot < received; slot++) {
        this.answer(slot * ANSWER_SLOT, Math.abs(answerLengths[slot]!), batch, failed);
      }
      if (received < ANSWER_SLOTS) return;
    }
  }

  private answer(
    start: number,
    length: number,
    { first, count, tags }: RequestBatch,
    failed: (tag: number, errno: number) => void,
  ): void {
    const end = start + length;
    for (let at = start; isWhole(this.answers, at, end); at = nextOf(this.answers, at)) {
      if (typeOf(this.answers, at) !== NLMSG_ERROR) continue;
      const errno = errorOf(this.answers, at);
      const index = (sequenceOf(this.answers, at) - first) >>> 0;
      if (errno === 0 || index >= count) continue;
      const tag = tags[index]!;
      // A delete before a create needs no tag: its failure shows in the create, which finds the flow still there.
      if (tag !== NO_TAG) failed(tag, errno);
    }
  }
}
