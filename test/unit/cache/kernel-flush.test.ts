import { beforeEach, describe, expect, it } from 'vitest';
import { Views } from '../../../src/base/views.js';
import { type FlushKernel, KernelFlush } from '../../../src/cache/kernel-flush.js';
import type { DumpEvents } from '../../../src/kernel/dump.js';
import { KernelCounters } from '../../../src/kernel/statistics.js';
import { kernelMessage } from '../../support/netlink-tree.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const CT_NEW = 0x100;
const BATCH = 4;

/** A kernel that somebody else holds: what it is given waits for `answer`. */
class Kernel implements FlushKernel {
  /** Deletions of each batch that was carried out. */
  readonly done: number[] = [];
  readonly waiting: (() => void)[] = [];
  broken: Error | null = null;
  private count = 0;

  get room(): number {
    return BATCH - this.count;
  }

  delete(): void {
    this.count++;
  }

  submitAhead(_failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    const { count } = this;
    this.count = 0;
    this.waiting.push(() => {
      if (this.broken === null && count > 0) this.done.push(count);
      done(this.broken);
    });
  }

  answer(): void {
    this.waiting.shift()!();
  }
}

let kernel: Kernel;
/** What was done to the dumps: `open`, `hold`, `release`, `close`. */
let calls: string[];
let dump: DumpEvents;
let log: string[];
let flush: KernelFlush;
let ended: number;

beforeEach(() => {
  kernel = new Kernel();
  calls = [];
  log = [];
  ended = 0;
  const note = (text: string) => void log.push(text);
  flush = new KernelFlush({
    kernel,
    counters: new KernelCounters(),
    log: { info: note, notice: note, warning: note, error: note, raw: note },
    filter: null,
    openDump: (events) => {
      dump = events;
      calls.push('open');
      const call = (name: string) => () => void calls.push(name);
      return { start: () => {}, close: call('close'), hold: call('hold'), release: call('release') };
    },
  });
});

function entries(count: number): void {
  for (let number = 0; number < count; number++) {
    const message = kernelMessage(tcpFlow({ number }), CT_NEW, 0);
    dump.onEntry(Views.of(message), 0, message.length);
  }
}

const run = (): void => flush.run(() => ended++);

describe('the flush of the kernel table', () => {
  it('lets the dump wait until the kernel has carried out what was found', () => {
    run();
    entries(3);
    expect(calls).toEqual(['open']);
    entries(7);
    expect(calls).toEqual(['open', 'hold', 'hold']);
    kernel.answer();
    expect(calls).toEqual(['open', 'hold', 'hold']);
    kernel.answer();
    expect(calls).toEqual(['open', 'hold', 'hold', 'release']);
    dump.onDone();
    expect(ended).toBe(0);
    kernel.answer();
    expect(kernel.done).toEqual([4, 4, 2]);
    expect([ended, flush.underWay]).toEqual([1, false]);
  });

  it('reads the table again after an interrupted dump, behind the deletions', () => {
    run();
    entries(2);
    dump.onInterrupted();
    expect(calls).toEqual(['open']);
    kernel.answer();
    expect(calls).toEqual(['open', 'open']);
    dump.onDone();
    kernel.answer();
    expect([kernel.done, ended]).toEqual([[2], 1]);
  });

  it('that is ended is over when the kernel deletes nothing more', async () => {
    run();
    entries(5);
    const order: string[] = [];
    const closed = flush.close().then(() => order.push('closed'));
    expect(calls.at(-1)).toBe('close');
    expect(flush.underWay).toBe(false);
    await Promise.resolve();
    expect(order).toEqual([]);
    // What was in the batch goes, too: somebody else's requests come into the next one.
    kernel.answer();
    kernel.answer();
    await closed;
    expect([kernel.done, kernel.waiting.length, ended]).toEqual([[4, 1], 0, 0]);
    await flush.close();
  });

  it('ends when the kernel takes nothing, says so, and can be begun again', () => {
    run();
    entries(4);
    kernel.broken = new Error('no memory');
    kernel.answer();
    expect(log).toEqual(['flush of the kernel conntrack table: no memory']);
    expect(calls.at(-1)).toBe('close');
    kernel.broken = null;
    kernel.answer();
    run();
    entries(1);
    dump.onDone();
    kernel.answer();
    expect([kernel.done, ended]).toEqual([[1], 1]);
  });

  it('does not end when the table cannot be read, but deletes what was read of it', () => {
    run();
    entries(1);
    dump.onError(new Error('refused'));
    kernel.answer();
    expect([kernel.done, ended, flush.underWay]).toEqual([[1], 0, false]);
    expect(log).toEqual(['flush of the kernel conntrack table: refused']);
  });
});
