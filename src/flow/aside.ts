import {
  ASIDE_HELPER,
  ASIDE_LABELS,
  ASIDE_MASTER_DST,
  ASIDE_MASTER_KIND,
  ASIDE_MASTER_L4,
  ASIDE_MASTER_SRC,
  ASIDE_SECCTX,
  ASIDE_SEQ_ORIG,
  ASIDE_SEQ_REPLY,
  ASIDE_START,
  ASIDE_STOP,
  ASIDE_SYNPROXY,
  ASIDE_WORDS,
  K_HELPER,
  K_LABELS,
  K_MASTER,
  K_MASTER_L4,
  K_SECCTX,
  K_SEQ_ADJ,
  K_SYNPROXY,
  K_TIMESTAMP,
  KNOWN,
} from './layout.js';
import { RecordPages } from './pages.js';
import type { FlowPointer, FlowRef } from './ref.js';

/** Which words of an aside record an attribute owns. K_SECCTX owns the context string as well. */
const ASIDE_FIELDS: readonly { known: number; first: number; words: number }[] = [
  { known: K_SECCTX, first: ASIDE_SECCTX, words: 1 },
  { known: K_HELPER, first: ASIDE_HELPER, words: 4 },
  { known: K_MASTER, first: ASIDE_MASTER_SRC, words: 4 },
  { known: K_MASTER, first: ASIDE_MASTER_DST, words: 4 },
  { known: K_MASTER, first: ASIDE_MASTER_KIND, words: 1 },
  { known: K_MASTER_L4, first: ASIDE_MASTER_L4, words: 1 },
  { known: K_LABELS, first: ASIDE_LABELS, words: 4 },
  { known: K_SEQ_ADJ, first: ASIDE_SEQ_ORIG, words: 3 },
  { known: K_SEQ_ADJ, first: ASIDE_SEQ_REPLY, words: 3 },
  { known: K_SYNPROXY, first: ASIDE_SYNPROXY, words: 3 },
  { known: K_TIMESTAMP, first: ASIDE_START, words: 2 },
  { known: K_TIMESTAMP, first: ASIDE_STOP, words: 2 },
];

/** Behind the record's own words: 1 + number of its security context, 0 = none. */
const CONTEXT = ASIDE_WORDS;

/** 512 records of 132 bytes are 66 KiB a page: most systems have few flows with rare attributes. */
const PAGE_SHIFT = 9;

/** The records with the rare attributes of a table's flows. */
export class AsideStore {
  readonly #records = new RecordPages(ASIDE_WORDS + 1, PAGE_SHIFT);
  readonly #contexts = new SharedTexts();

  /** Records taken. */
  get size(): number {
    return this.#records.size;
  }

  /** Different security contexts held. */
  get contexts(): number {
    return this.#contexts.size;
  }

  get bytesUsed(): number {
    return this.#records.bytesUsed + this.#contexts.bytesUsed;
  }

  /** A new record, all zero. */
  take(): number {
    const record = this.#records.take();
    const at = this.#records.at(record);
    this.#records.words(record).fill(0, at, at + ASIDE_WORDS + 1);
    return record;
  }

  give(record: number): void {
    this.#setContext(record, '');
    this.#records.give(record);
  }

  clear(): void {
    this.#records.clear();
    this.#contexts.clear();
  }

  /** Copies the rare attributes known in `flow` into the record; its other words stay. */
  merge(record: number, flow: FlowRef): void {
    const words = this.#records.words(record);
    const at = this.#records.at(record);
    const known = flow.words[flow.at + KNOWN]!;
    for (const field of ASIDE_FIELDS) {
      if ((known & field.known) === 0) continue;
      const end = field.first + field.words;
      for (let word = field.first; word < end; word++) words[at + word] = flow.aside[flow.asideAt + word]!;
    }
    if ((known & K_SECCTX) !== 0) this.#setContext(record, flow.secctx);
  }

  /** Lets the pointer's aside part show the record. */
  point(record: number, pointer: FlowPointer): void {
    const words = this.#records.words(record);
    const at = this.#records.at(record);
    pointer.aside = words;
    pointer.asideAt = at;
    const context = words[at + CONTEXT]!;
    pointer.secctx = context === 0 ? '' : this.#contexts.text(context - 1);
  }

  #setContext(record: number, text: string): void {
    const words = this.#records.words(record);
    const at = this.#records.at(record) + CONTEXT;
    const old = words[at]!;
    words[at] = text === '' ? 0 : this.#contexts.take(text) + 1;
    if (old !== 0) this.#contexts.give(old - 1);
  }
}

/** Texts that many records share, each held once for as long as somebody uses it. */
class SharedTexts {
  readonly #numbers = new Map<string, number>();
  #texts: string[] = [];
  #users: number[] = [];
  #free: number[] = [];

  get size(): number {
    return this.#numbers.size;
  }

  /** An estimate: V8 keeps such texts in one byte a character; some 100 bytes for the map and list entries. */
  get bytesUsed(): number {
    let bytes = 0;
    for (const text of this.#numbers.keys()) bytes += text.length + 100;
    return bytes;
  }

  text(number: number): string {
    return this.#texts[number]!;
  }

  take(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#texts.length;
      this.#texts[number] = text;
      this.#users[number] = 0;
      this.#numbers.set(text, number);
    }
    this.#users[number] = this.#users[number]! + 1;
    return number;
  }

  give(number: number): void {
    const users = this.#users[number]! - 1;
    this.#users[number] = users;
    if (users > 0) return;
    this.#numbers.delete(this.#texts[number]!);
    this.#texts[number] = '';
    this.#free.push(number);
  }

  clear(): void {
    this.#numbers.clear();
    this.#texts = [];
    this.#users = [];
    this.#free = [];
  }
}
