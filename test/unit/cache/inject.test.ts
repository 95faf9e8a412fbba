import { describe, expect, it } from 'vitest';
import { DirectInject, type InjectKernel, MOST_WAITING } from '../../../src/cache/inject.js';
import { K_LABELS, K_STATUS, KIND, kindOf, ORIG_L4, stateOf } from '../../../src/flow/layout.js';
import type { FlowRef } from '../../../src/flow/ref.js';
import { FLOW_DESTROY, FLOW_NEW, FLOW_UPDATE } from '../../../src/wire/tables.js';
import { tcpFlow } from '../../support/tcp-flow.js';

const ENOENT = 2;
const ENOMEM = 12;
const EBUSY = 16;
const EEXIST = 17;
const ENOSPC = 28;

interface Wanted {
  readonly kind: 'create' | 'update' | 'delete';
  readonly key: string;
  readonly state: number;
  readonly without: number;
  readonly tag: number;
}

/** A kernel table of flows and their states that behaves as Linux does, a batch at a time. */
class Table implements InjectKernel {
  readonly flows = new Map<string, number>();
  /** Requests of each batch. */
  readonly batches: string[][] = [];
  /** Errors of updates, by flow, while the update carries the attribute. */
  readonly faults = new Map<string, { errno: number; attribute: number }>();
  broken: Error | null = null;
  /** Somebody else has the table: nothing is carried out but by `answer`. */
  busy = false;
  answer: (() => void) | null = null;
  private wanted: Wanted[] = [];

  create(flow: FlowRef, timeout: number, tag: number): void {
    expect(timeout).toBe(60); // none of these flows says its own
    this.add('create', flow, tag);
  }

  update(flow: FlowRef, tag: number, without: number): void {
    this.add('update', flow, tag, without);
  }

  delete(flow: FlowRef, _timeout: number, tag: number): void {
    this.add('delete', flow, tag);
  }

  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    const wanted = this.wanted;
    this.wanted = [];
    expect(this.answer).toBe(null);
    expect(wanted.length).toBeLessThanOrEqual(256);
    this.answer = () => {
      this.answer = null;
      if (this.broken === null) this.carryAllOut(wanted, failed);
      done(this.broken);
    };
    if (!this.busy) this.answer();
  }

  private carryAllOut(wanted: readonly Wanted[], failed: (tag: number, errno: number) => void): void {
    this.batches.push(wanted.map(({ kind, key }) => `${kind} ${key}`));
    for (const request of wanted) {
      const errno = this.carryOut(request);
      if (errno !== 0 && request.tag >= 0) failed(request.tag, errno);
    }
  }

  errorText(errno: number): string {
    return `errno ${errno}`;
  }

  private carryOut({ kind, key, state, without }: Wanted): number {
    const there = this.flows.has(key);
    if (kind === 'create' ? there : !there) return kind === 'create' ? EEXIST : ENOENT;
    if (kind === 'delete') {
      this.flows.delete(key);
      return 0;
    }
    const fault = this.faults.get(key);
    if (fault !== undefined && (kind === 'update') === (fault.attribute !== 0)) {
      if (kind === 'create' || (without & fault.attribute) === 0) return fault.errno;
    }
    this.flows.set(key, state);
    return 0;
  }

  private add(kind: Wanted['kind'], flow: FlowRef, tag: number, without = 0): void {
    const key = String(flow.words[flow.at + ORIG_L4]! & 0xffff);
    this.wanted.push({ kind, key, state: stateOf(flow.words[flow.at + KIND]!), without, tag });
  }
}

function setUp() {
  const kernel = new Table();
  const lines: string[] = [];
  let endMinute: (() => void) | null = null;
  const log = {
    info: () => {},
    notice: () => {},
    warning: (text: string) => lines.push(text),
    error: (text: string) => lines.push(`ERROR ${text}`),
    raw: (text: string) => lines.push(`  ${text}`),
  };
  let gather: (() => void) | null = null;
  const scheduler = {
    after: (delayMs: number, callback: () => void) => {
      if (delayMs === 60_000) endMinute = callback;
      else gather = callback;
      return {
        cancel: () => {
          if (delayMs === 60_000) endMinute = null;
          else gather = null;
        },
      };
    },
    soon: () => {},
  };
  let nowMs = 0;
  let stands = false;
  const holds: boolean[] = [];
  const store = new DirectInject({
    kernel,
    clock: { monotonicMs: () => (stands ? nowMs : ++nowMs), wallSeconds: () => 0 },
    scheduler,
    log,
    hold: (on) => holds.push(on),
    describe: (flow) => `flow ${flow.words[ORIG_L4]! & 0xffff}`,
  });
  const flow = tcpFlow({ number: 1 });
  const tell = (type: number, number: number, state = 3) => {
    // One object again and again, as the decoder does it.
    flow.words.set(tcpFlow({ number, state }).words);
    store.apply(type, flow);
  };
  return {
    kernel,
    store,
    tell,
    lines,
    holds,
    passMinute: () => endMinute?.(),
    stopTime: () => {
      stands = true;
    },
    gathered: () => gather?.(),
  };
}

describe('DirectInject', () => {
  it('carries out a turn in one batch and in its order', () => {
    const { kernel, store, tell } = setUp();
    tell(FLOW_NEW, 1);
    tell(FLOW_NEW, 2);
    tell(FLOW_UPDATE, 1, 4);
    tell(FLOW_DESTROY, 2);
    expect(kernel.batches).toEqual([]);
    store.endTurn();
    store.endTurn();
    expect(kernel.batches).toEqual([['create 1', 'create 2', 'update 1', 'delete 2']]);
    expect([...kernel.flows]).toEqual([['1', 4]]);
    expect(store.counters).toEqual({
      created: 2,
      createFailed: 0,
      updated: 1,
      updateFailed: 0,
      destroyed: 1,
      destroyFailed: 0,
    });
  });

  it('replaces on NEW what is there, and creates on UPDATE what is not', () => {
    const { kernel, store, tell } = setUp();
    kernel.flows.set('1', 7);
    tell(FLOW_NEW, 1);
    tell(FLOW_UPDATE, 2);
    store.endTurn();
    expect(kernel.batches).toEqual([
      ['create 1', 'update 2'],
      ['delete 1', 'create 1', 'create 2'],
    ]);
    expect([...kernel.flows]).toEqual([
      ['1', 3],
      ['2', 3],
    ]);
    expect(store.counters).toMatchObject({ created: 1, updated: 1 });
  });

  it.each([
    ['EBUSY', EBUSY, K_STATUS],
    ['ENOSPC', ENOSPC, K_LABELS],
  ])('tries an update again without what %s is about', (_, errno, attribute) => {
    const { kernel, store, tell } = setUp();
    kernel.flows.set('1', 3);
    kernel.faults.set('1', { errno, attribute });
    tell(FLOW_UPDATE, 1, 5);
    store.endTurn();
    expect(kernel.batches).toEqual([['update 1'], ['update 1']]);
    expect(kernel.flows.get('1')).toBe(5);
  });

  it('makes a flow anew whose update is refused for another reason', () => {
    const { kernel, store, tell } = setUp();
    kernel.flows.set('1', 3);
    kernel.faults.set('1', { errno: ENOMEM, attribute: 1 << 30 });
    tell(FLOW_UPDATE, 1, 5);
    store.endTurn();
    expect(kernel.batches).toEqual([['update 1'], ['delete 1', 'create 1']]);
    expect(kernel.flows.get('1')).toBe(5);
    expect(store.counters).toMatchObject({ updated: 1, updateFailed: 0 });
  });

  it('ends with the last state of a flow told of several times, whatever is refused', () => {
    for (const there of [false, true]) {
      for (const fault of [null, EBUSY, ENOMEM]) {
        for (let order = 0; order < 27; order++) {
          const { kernel, store, tell } = setUp();
          if (there) kernel.flows.set('1', 9);
          if (fault !== null) kernel.faults.set('1', { errno: fault, attribute: K_STATUS });
          const types = [order % 3, Math.floor(order / 3) % 3, Math.floor(order / 9)];
          types.forEach((type, index) => {
            tell(type, 1, index + 1);
          });
          store.endTurn();
          const last = types[2] === FLOW_DESTROY ? undefined : 3;
          expect(kernel.flows.get('1'), `there ${there}, fault ${fault}, ${types}`).toBe(last);
          const { created, updated, createFailed, updateFailed, destroyFailed } = store.counters;
          expect(created + updated).toBe(types.filter((type) => type !== FLOW_DESTROY).length);
          expect(createFailed + updateFailed + destroyFailed).toBe(0);
        }
      }
    }
  });

  it('tries a flow that was refused for want of its master after the rest of the batch', () => {
    const { kernel, store, tell } = setUp();
    const related = { errno: ENOENT, attribute: 0 };
    kernel.faults.set('2', related);
    tell(FLOW_UPDATE, 1);
    tell(FLOW_NEW, 2);
    store.endTurn();
    expect(kernel.batches).toEqual([
      ['update 1', 'create 2'],
      ['create 1', 'create 2'],
    ]);
    expect(store.counters).toMatchObject({ updated: 1, createFailed: 1 });
  });

  it('goes to the kernel in between when a turn has more than fits', () => {
    const { kernel, store, tell } = setUp();
    for (let number = 0; number < 300; number++) kernel.flows.set(String(number), 1);
    for (let number = 0; number < 300; number++) tell(FLOW_NEW, number);
    store.endTurn();
    expect(kernel.batches.map((batch) => batch.length)).toEqual([128, 256, 128, 256, 44, 88]);
    expect([...kernel.flows.values()].every((state) => state === 3)).toBe(true);
    expect(store.counters.created).toBe(300);
  });

  it('warns of what fails, of a flood only so often, and says at the end of the minute how many more there were', () => {
    const { kernel, store, tell, lines, passMinute } = setUp();
    const refuse = (from: number, count: number) => {
      for (let number = from; number < from + count; number++) {
        kernel.faults.set(String(number), { errno: ENOMEM, attribute: 0 });
        tell(FLOW_NEW, number);
      }
      store.endTurn();
    };
    refuse(0, 1);
    expect(lines).toEqual(['could not add new ct entry: errno 12', '  flow 0']);
    refuse(1, 99);
    expect(lines).toHaveLength(21);
    expect(lines[20]).toMatch(/only counted/);
    passMinute();
    expect(lines.slice(21)).toEqual(['direct injection: 90 more failures, not listed']);
    refuse(100, 1);
    expect(lines.slice(22)).toEqual(['could not add new ct entry: errno 12', '  flow 100']);
    expect(store.counters.createFailed).toBe(101);
    refuse(101, 20);
    store.failures.close();
    expect(lines.at(-1)).toBe('direct injection: 11 more failures, not listed');
    const { length } = lines;
    store.failures.close();
    passMinute();
    expect(lines).toHaveLength(length);
  });

  it('survives a batch that the kernel does not take', () => {
    const { kernel, store, tell, lines } = setUp();
    kernel.broken = new Error('send: Cannot allocate memory');
    tell(FLOW_NEW, 1);
    tell(FLOW_DESTROY, 2);
    store.endTurn();
    expect(lines).toContain('ERROR direct injection: send: Cannot allocate memory');
    expect(store.counters).toMatchObject({ createFailed: 1, destroyFailed: 1 });
    kernel.broken = null;
    tell(FLOW_NEW, 1);
    store.endTurn();
    expect(kernel.flows.size).toBe(1);
  });

  it('takes flows of other families and protocols that share numbers for different ones', () => {
    const { kernel, store, tell } = setUp();
    kernel.flows.set('1', 9);
    tell(FLOW_NEW, 1, 1);
    const other = tcpFlow({ number: 1 });
    other.words[KIND] = kindOf(2, 17);
    store.apply(FLOW_DESTROY, other);
    store.endTurn();
    // The create fails first; the delete that follows is of another flow and takes nothing from it.
    expect(kernel.batches[1]).toEqual(['delete 1', 'create 1']);
  });

  it('waits for a kernel that somebody else holds, and then goes on in the order of the messages', () => {
    const { kernel, store, tell } = setUp();
    kernel.busy = true;
    kernel.flows.set('1', 9);
    tell(FLOW_NEW, 1, 1);
    store.endTurn();
    for (const state of [2, 3, 4]) {
      tell(FLOW_UPDATE, 1, state);
      tell(FLOW_DESTROY, 2);
      store.endTurn();
    }
    tell(FLOW_DESTROY, 1);
    store.endTurn();
    expect(store.waiting).toBe(8);
    expect(store.counters.created).toBe(0);
    while (kernel.answer !== null) kernel.answer();
    // What the first batch needs further comes before the second, in which the rest has gathered.
    expect(kernel.batches.slice(0, 2)).toEqual([['create 1'], ['delete 1', 'create 1']]);
    expect(kernel.batches[2]).toHaveLength(7);
    expect(kernel.flows.size).toBe(0);
    expect(store.counters).toMatchObject({ created: 1, updated: 3, destroyed: 1, destroyFailed: 0 });
    expect(store.waiting).toBe(0);
  });

  it('has no more read than may wait, until half of it is done', () => {
    const { kernel, store, tell, holds } = setUp();
    kernel.busy = true;
    for (let number = 0; number < MOST_WAITING - 1; number++) tell(FLOW_DESTROY, number);
    store.endTurn();
    expect(holds).toEqual([]);
    tell(FLOW_DESTROY, 1);
    store.endTurn();
    expect(holds).toEqual([true]);
    while (store.waiting > MOST_WAITING >> 1) {
      expect(holds).toEqual([true]);
      kernel.answer!();
    }
    expect(holds).toEqual([true, false]);
  });

  it('lets messages gather that come close behind a batch, until it is full or a millisecond is over', () => {
    const { kernel, store, tell, stopTime, gathered } = setUp();
    stopTime();
    for (let number = 0; number < 3; number++) {
      tell(FLOW_NEW, number);
      store.endTurn();
    }
    expect(kernel.batches).toEqual([['create 0']]);
    for (let number = 3; number < 130; number++) tell(FLOW_NEW, number);
    expect(kernel.batches).toHaveLength(2);
    expect(kernel.batches[1]).toHaveLength(128);
    store.endTurn();
    expect(kernel.batches).toHaveLength(2);
    expect(store.waiting).toBe(1);
    gathered();
    expect(kernel.batches[2]).toEqual(['create 129']);
  });

  it('carries something else out in its turn', async () => {
    const { kernel, store, tell } = setUp();
    kernel.busy = true;
    const order: string[] = [];
    let end = () => {};
    tell(FLOW_NEW, 1);
    store.perform((done) => {
      order.push(`task with ${kernel.flows.size} flows`);
      end = done;
    });
    tell(FLOW_NEW, 2);
    const settled = store.settled().then(() => order.push('settled'));
    store.endTurn();
    kernel.answer!();
    expect(order).toEqual(['task with 1 flows']);
    expect(kernel.answer).toBe(null);
    end();
    kernel.answer!();
    await settled;
    expect(order).toEqual(['task with 1 flows', 'settled']);
    expect(kernel.flows.size).toBe(2);
  });
});
