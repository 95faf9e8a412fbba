import { describe } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Scheduler } from '../base/scheduler.js';
import { sameIdentity } from '../flow/identity.js';
import { K_ASIDE_MASK, K_LABELS, K_STATUS, K_TIMEOUT, KNOWN } from '../flow/layout.js';
import type { FlowRef } from '../flow/ref.js';
import { FlowScratch } from '../flow/scratch.js';
import { FLOW_DESTROY, FLOW_NEW } from '../wire/tables.js';
import { FailureLog } from './failure-log.js';

/**
 * The kernel as direct injection sees it: requests gather in one batch, `submit` hands them over in one system call and
 * reports the ones that failed, before it returns. `tag` comes back with a failure.
 */
export interface InjectKernel {
  /** Requests that still fit into the batch. */
  readonly room: number;
  /** @param timeoutSeconds TIMEOUT_AS_KNOWN: the flow's own */
  create(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /** @param without K_ bits of attributes to leave out */
  update(flow: FlowRef, tag: number, without: number): void;
  /** @param tag NO_TAG: nobody wants to know whether it failed */
  delete(flow: FlowRef, timeoutSeconds: number, tag: number): void;
  /** @throws Error when the kernel took nothing of the batch */
  submit(failed: (tag: number, errno: number) => void): void;
  /** strerror text of an errno. */
  errorText(errno: number): string;
}

/** What direct injection is given. */
export interface InjectContext {
  readonly kernel: InjectKernel;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  /** The flow as the original prints it under a warning, without line end. */
  describe(flow: FlowRef): string;
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

/** Messages that wait for the end of the turn; each may need two requests, a delete and a create. */
const SLOTS = 128;

// Error numbers of the kernel that say what to try instead (asm-generic/errno-base.h).
const ENOENT = 2;
const EBUSY = 16;
const EEXIST = 17;
/** Labels, and no rule that uses `ct label`. */
const ENOSPC = 28;

// What is tried with a message's flow; what follows upon a failure is in `afterFailure`.
const SETTLED = 0;
const CREATE = 1;
const UPDATE = 2;
const UPDATE_WITHOUT_STATUS = 3;
const UPDATE_WITHOUT_LABELS = 4;
const DELETE = 5;
/** Delete, then create. */
const RECREATE = 6;
/** A create after what else the batch has to do: the master of a related flow may be among it. */
const CREATE_LATER = 7;
/** Nothing more to try. */
const FAILED = 8;

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
 * Messages of a turn gather in slots and go to the kernel in one batch at its end, in their order; what failed is tried
 * as above, a batch for each step. A message carries all its flow has, so that of several messages of one flow only the
 * last needs a second try.
 */
export class DirectInject {
  readonly counters = new InjectCounters();

  private readonly slots = Array.from({ length: SLOTS }, () => new FlowScratch());
  private readonly types = new Uint8Array(SLOTS);
  private readonly attempts = new Uint8Array(SLOTS);
  private readonly errnos = new Int32Array(SLOTS);
  /** Whether the flow was deleted and created anew, for the words of a warning. */
  private readonly recreated = new Uint8Array(SLOTS);
  private used = 0;
  /** Expectations that cannot be injected are told by it as well. */
  readonly failures: FailureLog;

  constructor(private readonly context: InjectContext) {
    this.failures = new FailureLog(context);
  }

  /**
   * What a peer's message says of a flow; carried out at the end of the turn at the latest.
   *
   * @param type FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY
   */
  apply(type: number, flow: FlowRef): void {
    if (this.used === SLOTS) this.endTurn();
    const slot = this.used++;
    keep(this.slots[slot]!, flow);
    this.types[slot] = type;
    this.attempts[slot] = type === FLOW_NEW ? CREATE : type === FLOW_DESTROY ? DELETE : UPDATE;
    this.errnos[slot] = 0;
    this.recreated[slot] = 0;
  }

  /** Carries out what was told this turn. */
  endTurn(): void {
    if (this.used === 0) return;
    while (this.batch());
    for (let slot = 0; slot < this.used; slot++) this.settle(slot);
    this.used = 0;
  }

  /** There is nothing to flush: the kernel's table is not ours. */
  flush(): void {}

  /** One step of every message that is not settled. @returns false when all are */
  private batch(): boolean {
    const { kernel } = this.context;
    let any = false;
    for (let slot = 0; slot < this.used; slot++) any = this.add(slot) || any;
    if (!any) return false;
    try {
      kernel.submit(this.refused);
    } catch (error) {
      this.giveUp(error);
      return false;
    }
    // Backwards: a slot may be given to a later one of its flow, which must have had its own result then.
    for (let slot = this.used - 1; slot >= 0; slot--) this.nextAttempt(slot);
    return true;
  }

  /** Adds the requests of the slot's next attempt. */
  private add(slot: number): boolean {
    const { kernel } = this.context;
    const flow = this.slots[slot]!;
    const attempt = this.attempts[slot]!;
    if (attempt === SETTLED || attempt === FAILED) return false;
    this.errnos[slot] = 0;
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
        this.recreated[slot] = 1;
        kernel.delete(flow, OWN_TIMEOUT, NO_TAG);
        kernel.create(flow, timeoutOf(flow), slot);
        return true;
    }
  }

  private readonly refused = (slot: number, errno: number): void => {
    this.errnos[slot] = errno;
  };

  private nextAttempt(slot: number): void {
    const attempt = this.attempts[slot]!;
    if (attempt === SETTLED || attempt === FAILED) return;
    const errno = this.errnos[slot]!;
    const next = errno === 0 ? SETTLED : afterFailure(attempt, errno, this.used === 1);
    this.attempts[slot] = next;
    if (next === SETTLED || next === FAILED) return;
    const last = this.lastOfFlow(slot);
    if (last === slot) return;
    // A later message says what the flow is to be now. A delete has done so; else all of it is made anew.
    this.attempts[slot] = SETTLED;
    this.errnos[slot] = 0;
    if (this.types[last] !== FLOW_DESTROY) this.attempts[last] = RECREATE;
  }

  /** The last slot that holds the same flow. */
  private lastOfFlow(slot: number): number {
    const { words, at } = this.slots[slot]!;
    for (let other = this.used - 1; other > slot; other--) {
      const flow = this.slots[other]!;
      if (sameIdentity(words, at, flow.words, flow.at)) return other;
    }
    return slot;
  }

  /** Counts how the message ended. */
  private settle(slot: number): void {
    const { counters } = this;
    const failed = this.attempts[slot] === FAILED;
    const type = this.types[slot]!;
    const errno = this.errnos[slot]!;
    if (type === FLOW_NEW) {
      if (failed) counters.createFailed++;
      else counters.created++;
    } else if (type === FLOW_DESTROY) {
      if (failed) counters.destroyFailed++;
      else if (errno === 0) counters.destroyed++;
    } else if (failed) counters.updateFailed++;
    else counters.updated++;
    if (failed) this.warn(slot, errno);
  }

  /** The kernel took nothing: every message that is not settled has failed. */
  private giveUp(error: unknown): void {
    this.context.log.error(`direct injection: ${describe(error)}`);
    for (let slot = 0; slot < this.used; slot++) {
      if (this.attempts[slot] !== SETTLED) this.attempts[slot] = FAILED;
    }
    this.failures.tellNoMore();
  }

  private warn(slot: number, errno: number): void {
    const { kernel } = this.context;
    const text = `${this.complaint(slot)}: ${kernel.errorText(errno)}`;
    this.failures.tell(text, () => this.context.describe(this.slots[slot]!));
  }

  /** The original's words. */
  private complaint(slot: number): string {
    const type = this.types[slot];
    if (type === FLOW_NEW) return 'could not add new ct entry';
    if (type === FLOW_DESTROY) return 'could not delete ct entry';
    return this.recreated[slot] === 1
      ? 'could not update ct entry, even when deleting it first'
      : 'could not update ct entry, even if creating it instead';
  }
}

/** @param alone no other message is in the batch */
function afterFailure(attempt: number, errno: number, alone: boolean): number {
  switch (attempt) {
    case CREATE:
      if (errno === ENOENT && !alone) return CREATE_LATER;
      return errno === EEXIST ? RECREATE : FAILED;
    case CREATE_LATER:
      return errno === EEXIST ? RECREATE : FAILED;
    case UPDATE:
      if (errno === ENOENT) return CREATE;
      if (errno === EBUSY) return UPDATE_WITHOUT_STATUS;
      return errno === ENOSPC ? UPDATE_WITHOUT_LABELS : RECREATE;
    case UPDATE_WITHOUT_STATUS:
    case UPDATE_WITHOUT_LABELS:
      return errno === ENOENT ? CREATE : RECREATE;
    case DELETE:
      return errno === ENOENT ? SETTLED : FAILED;
    default:
      return FAILED;
  }
}

function timeoutOf(flow: FlowRef): number {
  return (flow.words[flow.at + KNOWN]! & K_TIMEOUT) !== 0 ? OWN_TIMEOUT : DEFAULT_TIMEOUT;
}

/** Copies what requests need of a flow; the decoder's scratch is filled anew with the next message. */
function keep(slot: FlowScratch, flow: FlowRef): void {
  const { words, aside } = slot;
  const from = flow.words;
  const at = flow.at;
  for (let word = 0; word < words.length; word++) words[word] = from[at + word]!;
  if ((words[KNOWN]! & K_ASIDE_MASK) === 0) return;
  const fromAside = flow.aside;
  const asideAt = flow.asideAt;
  for (let word = 0; word < aside.length; word++) aside[word] = fromAside[asideAt + word]!;
}
