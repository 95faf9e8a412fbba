import type { Clock } from '../base/clock.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler, Timer } from '../base/scheduler.js';
import { sameIdentity } from '../flow/identity.js';
import { K_LABELS, K_STATUS, K_TIMEOUT, KNOWN, ROW_WORDS } from '../flow/layout.js';
import { FlowPointer, type FlowRef } from '../flow/ref.js';
import { FLOW_DESTROY, FLOW_NEW } from '../wire/tables.js';
import { FailureLog } from './failure-log.js';
import {
  afterFailure,
  CREATE,
  CREATE_LATER,
  DELETE,
  FAILED,
  InjectBatch,
  RECREATE,
  SETTLED,
  UPDATE,
  UPDATE_WITHOUT_LABELS,
  UPDATE_WITHOUT_STATUS,
} from './inject-batch.js';

/**
 * The kernel as direct injection sees it: requests gather in one batch, `submitAhead` hands them over in one system call.
 * `tag` comes back with a failure.
 */
export interface InjectKernel {
  /** @param timeoutSeconds TIMEOUT_AS_KNOWN: the flow's own */
  create(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /** @param without K_ bits of attributes to leave out */
  update(flow: FlowRef, tag: number, without: number): void;
  /** @param tag NO_TAG: nobody wants to know whether it failed */
  delete(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /**
   * Carries out the batch without waiting for it. `done` follows the failures, with the error when the kernel took nothing
   * of it.
   */
  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void;
  /** strerror text of an errno. */
  errorText(errno: number): string;
}

/** What direct injection is given. */
export interface InjectContext {
  readonly kernel: InjectKernel;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** The flow as the original prints it under a warning, without line end. */
  describe(flow: FlowRef): string;
  /** As many messages wait as may: no more are to be read from the peers, until half of them are done (`false`). */
  hold(on: boolean): void;
}

/** The lines of `external inject:`. */
export class InjectCounters {
  created = 0;
  createFailed = 0;
  updated = 0;
  updateFailed = 0;
  destroyed = 0;
  destroyFailed = 0;
}

/** Tag of a request whose failure concerns nobody. */
export const NO_TAG = -1;
/** `timeoutSeconds` of a request that carries the flow's own timeout (src/netlink/encode.ts). */
const OWN_TIMEOUT = -1;
/**
 * Seconds for a flow whose message names no timeout, because the peer has a CommitTimeout. The kernel refuses a flow
 * without one, and the original with it (spec/findings.md 32). As a commit gives; the next packet sets the right one.
 */
const DEFAULT_TIMEOUT = 60;

/**
 * Messages that may wait for the kernel, some 6 MB. Whoever empties a large table holds it for seconds; six of them at the
 * 5,000 changes a second of a busy firewall fit (doc/decisions/0011-injection-queue.md).
 */
export const MOST_WAITING = 32_768;
/**
 * Milliseconds from one batch to the next, unless that is full: to wake the other thread and to be woken takes as long as ten
 * flows. A message that comes by itself goes at once.
 */
const GATHER_MS = 1;
const TELL_HELD_MS = 60_000;
/** Batches kept for reuse: what a steady load needs. */
const SPARE_BATCHES = 4;

/** Something else that is carried out in the order of the messages; `done` is to be called at its end, perhaps at once. */
export type InjectTask = (done: () => void) => void;

/**
 * DisableExternalCache: what the peers tell goes straight into the kernel (spec/sync.md "Direct inject").
 *
 * ```
 *   NEW      create ──EEXIST──────────────────────────────> delete + create
 *              └──ENOENT──> once more: its master may come with the same batch
 *   UPDATE   update ──ENOENT──> create ──EEXIST───────────>       "
 *              ├──EBUSY───> update without status ──any──>        "      (spec/findings.md 31)
 *              ├──ENOSPC──> update without labels ──any──>        "
 *              └──any other──────────────────────────────>        "
 *   DESTROY  delete, and none there is fine
 * ```
 * Messages gather in batches. One batch at a time is with the kernel, in another thread, and the next one begins when all of
 * it has succeeded or failed for good: so the kernel is told of each flow in the order of the messages. What failed is tried
 * as above, a request batch for each step. A message carries all its flow has, so that of several messages of one flow only
 * the last needs a second try.
 */
export class DirectInject {
  readonly counters = new InjectCounters();

  /** What waits, in its order; the last batch may be filled further. */
  private queue: (InjectBatch | InjectTask)[] = [];
  private readonly spare: InjectBatch[] = [];
  /** The last of `queue`, when it is a batch. */
  private filling: InjectBatch | null = null;
  private current: InjectBatch | null = null;
  /** The kernel, or a task, has not answered yet. */
  private asked = false;
  private proceeding = false;
  /** When a batch was begun. */
  private begunMs = Number.NEGATIVE_INFINITY;
  private gathering: Timer | null = null;
  private toldHeldMs = Number.NEGATIVE_INFINITY;
  /** Messages and tasks that are not over. */
  private unsettled = 0;
  private held = false;
  private readonly pointer = new FlowPointer();
  /** Expectations that cannot be injected are told by it as well. */
  readonly failures: FailureLog;

  constructor(private readonly context: InjectContext) {
    this.failures = new FailureLog(context);
  }

  /** Messages that the kernel has not been told yet. */
  get waiting(): number {
    return this.unsettled;
  }

  /**
   * What a peer's message says of a flow. It goes to the kernel when a batch is full, or at the end of the turn, unless the
   * kernel is not done with what came before.
   *
   * @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY
   */
  apply(type: number, flow: FlowRef): void {
    let batch = this.filling;
    if (batch === null || batch.isFull) {
      batch = this.spare.pop() ?? new InjectBatch();
      this.queue.push(batch);
      this.filling = batch;
    }
    batch.add(type, flow);
    this.unsettled++;
    if (batch.isFull) this.proceed();
  }

  /** Carries something else out behind the messages so far and before those that follow. */
  perform(task: InjectTask): void {
    this.queue.push(task);
    this.filling = null;
    this.unsettled++;
    this.proceed();
    this.look();
  }

  /** Begins with what was told this turn. */
  endTurn(): void {
    this.proceed();
    this.look();
  }

  /** The daemon ends: what waits stays undone. */
  close(): void {
    this.gathering?.cancel();
    this.queue = [];
    this.filling = null;
    this.failures.close();
  }

  /** Resolves when what was told so far has been carried out. */
  settled(): Promise<void> {
    return new Promise((resolve) =>
      this.perform((done) => {
        done();
        resolve();
      }),
    );
  }

  /** There is nothing to flush: the kernel's table is not ours. */
  flush(): void {}

  /** Does what can be done without waiting; a kernel that answers at once finds the loop below. */
  private proceed(): void {
    if (this.proceeding) return;
    this.proceeding = true;
    while (!this.asked && this.step());
    this.proceeding = false;
  }

  /** @returns false when nothing is left to be done now */
  private step(): boolean {
    if (this.current === null) return this.begin();
    if (this.attemptAll(this.current)) {
      this.asked = true;
      this.context.kernel.submitAhead(this.refused, this.answered);
    } else {
      this.end(this.current);
    }
    return true;
  }

  private begin(): boolean {
    const { queue } = this;
    const next = queue[0];
    if (next === undefined || (next === this.filling && this.gathers(next))) return false;
    queue.shift();
    if (next === this.filling) this.filling = null;
    if (next instanceof InjectBatch) {
      this.current = next;
      return true;
    }
    this.asked = true;
    next(() => {
      this.asked = false;
      this.unsettled--;
      this.look();
      this.proceed();
    });
    return true;
  }

  /** Whether more messages are waited for. */
  private gathers({ isFull }: InjectBatch): boolean {
    if (isFull) return false;
    const { clock, scheduler } = this.context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.begunMs < GATHER_MS) {
      this.gathering ??= scheduler.after(GATHER_MS, () => {
        this.gathering = null;
        this.begunMs = Number.NEGATIVE_INFINITY;
        this.proceed();
      });
      return true;
    }
    this.begunMs = nowMs;
    return false;
  }

  /** Every message of the batch has succeeded or failed. */
  private end(batch: InjectBatch): void {
    for (let slot = 0; slot < batch.used; slot++) this.settle(batch, slot);
    this.unsettled -= batch.used;
    this.current = null;
    batch.used = 0;
    if (this.spare.length < SPARE_BATCHES) this.spare.push(batch);
    this.look();
  }

  private look(): void {
    const { unsettled, held } = this;
    if (held ? unsettled > MOST_WAITING >>> 1 : unsettled < MOST_WAITING) return;
    this.held = !held;
    this.context.hold(this.held);
    if (this.held) this.tellHeld();
  }

  /** Once a minute at most: a burst may bring it about again and again. */
  private tellHeld(): void {
    const { clock, log } = this.context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.toldHeldMs < TELL_HELD_MS) return;
    this.toldHeldMs = nowMs;
    log.notice(
      `direct injection: ${this.unsettled} changes wait for the kernel, no more are read until half of them are done`,
    );
  }

  /** Adds the next requests of every message that is not settled. @returns whether there are any */
  private attemptAll(batch: InjectBatch): boolean {
    let any = false;
    for (let slot = 0; slot < batch.used; slot++) any = this.attempt(batch, slot) || any;
    return any;
  }

  private attempt(batch: InjectBatch, slot: number): boolean {
    const attempt = batch.attempts[slot]!;
    if (attempt === SETTLED || attempt === FAILED) return false;
    const { kernel } = this.context;
    const { pointer: flow } = this;
    batch.errnos[slot] = 0;
    batch.point(slot, flow);
    switch (attempt) {
      case CREATE:
      case CREATE_LATER:
        kernel.create(flow, timeoutOf(flow), slot);
        return true;
      case UPDATE:
        kernel.update(flow, slot, 0);
        return true;
      case UPDATE_WITHOUT_STATUS:
        kernel.update(flow, slot, K_STATUS);
        return true;
      case UPDATE_WITHOUT_LABELS:
        kernel.update(flow, slot, K_LABELS);
        return true;
      case DELETE:
        kernel.delete(flow, OWN_TIMEOUT, slot);
        return true;
      default:
        batch.recreated[slot] = 1;
        kernel.delete(flow, OWN_TIMEOUT, NO_TAG);
        kernel.create(flow, timeoutOf(flow), slot);
        return true;
    }
  }

  private readonly refused = (slot: number, errno: number): void => {
    this.current!.errnos[slot] = errno;
  };

  private readonly answered = (error: Error | null): void => {
    const batch = this.current!;
    this.asked = false;
    if (error !== null) this.giveUp(batch, error);
    // Backwards: a slot may be given to a later one of its flow, which must have had its own result then.
    else for (let slot = batch.used - 1; slot >= 0; slot--) this.nextAttempt(batch, slot);
    this.proceed();
  };

  private nextAttempt(batch: InjectBatch, slot: number): void {
    const { attempts, errnos, types } = batch;
    const attempt = attempts[slot]!;
    if (attempt === SETTLED || attempt === FAILED) return;
    const errno = errnos[slot]!;
    const next = errno === 0 ? SETTLED : afterFailure(attempt, errno, batch.used === 1);
    attempts[slot] = next;
    if (next === SETTLED || next === FAILED) return;
    const last = lastOfFlow(batch, slot);
    if (last === slot) return;
    // A later message says what the flow is to be now. A delete has done so; else all of it is made anew.
    attempts[slot] = SETTLED;
    errnos[slot] = 0;
    if (types[last] !== FLOW_DESTROY) attempts[last] = RECREATE;
  }

  /** Counts how the message ended. */
  private settle(batch: InjectBatch, slot: number): void {
    const { counters } = this;
    const failed = batch.attempts[slot] === FAILED;
    const type = batch.types[slot]!;
    const errno = batch.errnos[slot]!;
    if (type === FLOW_NEW) {
      if (failed) counters.createFailed++;
      else counters.created++;
    } else if (type === FLOW_DESTROY) {
      if (failed) counters.destroyFailed++;
      else if (errno === 0) counters.destroyed++;
    } else if (failed) counters.updateFailed++;
    else counters.updated++;
    if (failed) this.warn(batch, slot, errno);
  }

  /** The kernel took nothing: every message that is not settled has failed. */
  private giveUp({ used, attempts }: InjectBatch, error: Error): void {
    this.context.log.error(`direct injection: ${describe(error)}`);
    for (let slot = 0; slot < used; slot++) {
      if (attempts[slot] !== SETTLED) attempts[slot] = FAILED;
    }
    this.failures.tellNoMore();
  }

  private warn(batch: InjectBatch, slot: number, errno: number): void {
    const { kernel } = this.context;
    this.failures.tell(`${complaint(batch, slot)}: ${kernel.errorText(errno)}`, () => {
      batch.point(slot, this.pointer);
      return this.context.describe(this.pointer);
    });
  }
}

/** The original's words. */
function complaint({ types, recreated }: InjectBatch, slot: number): string {
  const type = types[slot];
  if (type === FLOW_NEW) return 'could not add new ct entry';
  if (type === FLOW_DESTROY) return 'could not delete ct entry';
  return recreated[slot] === 1
    ? 'could not update ct entry, even when deleting it first'
    : 'could not update ct entry, even if creating it instead';
}

/** The last slot that holds the same flow. */
function lastOfFlow(batch: InjectBatch, slot: number): number {
  const { words, used } = batch;
  for (let other = used - 1; other > slot; other--) {
    if (sameIdentity(words, slot * ROW_WORDS, words, other * ROW_WORDS)) return other;
  }
  return slot;
}

function timeoutOf(flow: FlowRef): number {
  return (flow.words[flow.at + KNOWN]! & K_TIMEOUT) !== 0 ? OWN_TIMEOUT : DEFAULT_TIMEOUT;
}
