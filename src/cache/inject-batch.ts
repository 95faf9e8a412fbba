import { ASIDE_WORDS, ATTRIBUTE_WORDS, K_ASIDE_MASK, KNOWN, ROW_WORDS } from '../flow/layout.js';
import type { FlowPointer, FlowRef } from '../flow/ref.js';
import { FLOW_DESTROY, FLOW_NEW } from '../wire/tables.js';

/** Messages that go to the kernel together; each may need two requests, a delete and a create. */
export const SLOTS = 128;

// Error numbers of the kernel that say what to try instead (asm-generic/errno-base.h).
const ENOENT = 2;
const EBUSY = 16;
const EEXIST = 17;
/** Labels, and no rule that uses `ct label`. */
const ENOSPC = 28;

// What is tried with a message's flow; what follows upon a failure is in `afterFailure`.
export const SETTLED = 0;
export const CREATE = 1;
export const UPDATE = 2;
export const UPDATE_WITHOUT_STATUS = 3;
export const UPDATE_WITHOUT_LABELS = 4;
export const DELETE = 5;
/** Delete, then create. */
export const RECREATE = 6;
/** A create after what else the batch has to do: the master of a related flow may be among it. */
export const CREATE_LATER = 7;
/** Nothing more to try. */
export const FAILED = 8;

/** Messages of peers about flows that are carried out together, with how far each has come. */
export class InjectBatch {
  used = 0;
  /** FLOW_NEW, FLOW_UPDATE or FLOW_DESTROY. */
  readonly types = new Uint8Array(SLOTS);
  readonly attempts = new Uint8Array(SLOTS);
  /** How the last attempt ended. */
  readonly errnos = new Int32Array(SLOTS);
  /** Whether the flow was deleted and created anew, for the words of a warning. */
  readonly recreated = new Uint8Array(SLOTS);
  readonly words = new Uint32Array(SLOTS * ROW_WORDS);
  /** Null until a flow has attributes of the aside record, which few have. */
  private aside: Uint32Array | null = null;

  get isFull(): boolean {
    return this.used === SLOTS;
  }

  /** Copies what requests need of a flow; the decoder's scratch is filled anew with the next message. */
  add(type: number, { words: from, at, aside, asideAt }: FlowRef): void {
    const slot = this.used++;
    this.types[slot] = type;
    this.attempts[slot] = type === FLOW_NEW ? CREATE : type === FLOW_DESTROY ? DELETE : UPDATE;
    this.errnos[slot] = 0;
    this.recreated[slot] = 0;
    const { words } = this;
    const to = slot * ROW_WORDS;
    for (let word = 0; word < ATTRIBUTE_WORDS; word++) words[to + word] = from[at + word]!;
    if ((words[to + KNOWN]! & K_ASIDE_MASK) === 0) return;
    this.aside ??= new Uint32Array(SLOTS * ASIDE_WORDS);
    const asideTo = slot * ASIDE_WORDS;
    for (let word = 0; word < ASIDE_WORDS; word++) this.aside[asideTo + word] = aside[asideAt + word]!;
  }

  point(slot: number, pointer: FlowPointer): void {
    pointer.words = this.words;
    pointer.at = slot * ROW_WORDS;
    if (this.aside === null) return;
    pointer.aside = this.aside;
    pointer.asideAt = slot * ASIDE_WORDS;
  }
}

/** What to try after a refusal. @param alone no other message is in the batch */
export function afterFailure(attempt: number, errno: number, alone: boolean): number {
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
