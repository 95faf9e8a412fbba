import { describe, expect, it } from 'vitest';
import { Views } from '../../src/base/views.js';
import { DirectInject, type InjectKernel } from '../../src/cache/inject.js';
import { loopScheduler } from '../../src/daemon/clock.js';
import type { FlowRef } from '../../src/flow/ref.js';
import { FlowScratch } from '../../src/flow/scratch.js';
import { encodeCreate, encodeDelete, encodeUpdate, MAX_REQUEST_BYTES } from '../../src/netlink/encode.js';
import { decodeFlow } from '../../src/wire/decode.js';
import { MessageHeader, readHeader } from '../../src/wire/header.js';
import { withScaleFlags } from '../support/window-scale.js';
import { bytesOf, hexOf, readFixture } from './wire-cases.js';

interface InjectCase {
  readonly name: string;
  readonly windowTracking: boolean;
  /** What the peer sent. */
  readonly message: string;
  /** What the original asked of the kernel upon it, and the answers. */
  readonly exchange: readonly { readonly request: string; readonly errno: number }[];
  /** What the original logged. */
  readonly warning?: string;
}

const { cases } = readFixture<{ cases: InjectCase[] }>('inject/direct.json');

/** Where ours goes another way (doc/compatibility.md): the requests the original's are replaced by, and their answers. */
const OTHERWISE: Readonly<Record<string, { why: string; kinds: string[]; errnos: number[] }>> = {
  'tcp-upd-unset-assured': {
    why: 'an update refused with EBUSY is tried without the status before the flow is torn down',
    kinds: ['update', 'update'],
    errnos: [16, 0],
  },
  'labels-upd': {
    why: 'an update refused with ENOSPC is tried without the labels',
    kinds: ['update', 'update'],
    errnos: [28, 0],
  },
  'nat6-dnat-upd': { why: 'IPv6 NAT is left out of updates like IPv4 NAT', kinds: ['update'], errnos: [0] },
  'no-timeout-new': { why: 'a flow without timeout gets one', kinds: ['create'], errnos: [0] },
  'no-timeout-upd': { why: 'a flow without timeout gets one', kinds: ['update', 'create'], errnos: [2, 0] },
};

const clock = { monotonicMs: () => 0, wallSeconds: () => 0 };

/** Encodes as the real one does, each request alone, and answers what the kernel answered. */
class ScriptedKernel implements InjectKernel {
  readonly requests: string[] = [];
  readonly kinds: string[] = [];
  private readonly out = new Views(MAX_REQUEST_BYTES);
  private tags: number[] = [];

  constructor(
    private readonly windowTracking: boolean,
    private readonly errnos: number[],
  ) {}

  create(flow: FlowRef, timeout: number, tag: number): void {
    this.add('create', encodeCreate(this.out, 0, flow, this.options(timeout)), tag);
  }

  update(flow: FlowRef, tag: number, without: number): void {
    this.add('update', encodeUpdate(this.out, 0, flow, { ...this.options(-1), without }), tag);
  }

  delete(flow: FlowRef, timeout: number, tag: number): void {
    this.add('delete', encodeDelete(this.out, 0, flow, this.options(timeout)), tag);
  }

  submitAhead(failed: (tag: number, errno: number) => void, done: (error: Error | null) => void): void {
    for (const tag of this.tags) {
      const errno = this.errnos.shift()!;
      if (errno !== 0 && tag >= 0) failed(tag, errno);
    }
    this.tags = [];
    done(null);
  }

  errorText(errno: number): string {
    return `errno ${errno}`;
  }

  private options(timeout: number) {
    return { sequence: 0, ack: true, timeout, windowTracking: this.windowTracking };
  }

  private add(kind: string, length: number, tag: number): void {
    this.kinds.push(kind);
    this.requests.push(hexOf(this.out, 0, length));
    this.tags.push(tag);
  }
}

function inject(golden: InjectCase, errnos: number[]) {
  const kernel = new ScriptedKernel(golden.windowTracking, [...errnos]);
  const warnings: string[] = [];
  const log = {
    info: () => {},
    notice: () => {},
    warning: (text: string) => warnings.push(text),
    error: (text: string) => warnings.push(text),
    raw: () => {},
  };
  const store = new DirectInject({ kernel, clock, scheduler: loopScheduler, log, describe: () => '', hold: () => {} });
  const bytes = bytesOf(golden.message);
  const header = new MessageHeader();
  const scratch = new FlowScratch();
  const views = Views.of(bytes);
  readHeader(views, 0, bytes.length, header);
  expect(decodeFlow(views, 0, bytes.length, scratch)).toBe(true);
  store.apply(header.type, scratch);
  store.endTurn();
  return { kernel, store, warnings };
}

/** The part of a case's name that says what happens, without the configuration. */
const topic = (name: string): string => name.slice(name.indexOf('.') + 1);

/**
 * The original's request, but for the byte of SCTP's original tag that it overwrites (netlink-requests.test.ts) and the
 * flag of window scales that it leaves out.
 */
function asMeant(request: string, message: string): string {
  const tag = /^.*00080012(.{8})/.exec(message)?.[1];
  return tag === undefined
    ? withScaleFlags(request)
    : request.replace(`08000200${tag.slice(0, 6)}08`, `08000200${tag}`);
}

describe('direct injection asks the kernel what the original asked', () => {
  it.each(cases.filter(({ name }) => OTHERWISE[topic(name)] === undefined))('$name', (golden) => {
    const errnos = golden.exchange.map(({ errno }) => errno);
    const { kernel, warnings } = inject(golden, errnos);
    expect(kernel.requests).toEqual(golden.exchange.map(({ request }) => asMeant(request, golden.message)));
    // The original's words, up to the reason.
    const said = warnings.map((text) => text.slice(0, text.lastIndexOf(':')));
    const original = golden.warning === undefined ? [] : [golden.warning.slice(0, golden.warning.lastIndexOf(':'))];
    expect(said).toEqual(original);
  });

  it.each(cases.filter(({ name }) => OTHERWISE[topic(name)] !== undefined))('$name, in its own way', (golden) => {
    const { kinds, errnos, why } = OTHERWISE[topic(golden.name)]!;
    const { kernel, warnings } = inject(golden, errnos);
    expect(kernel.kinds, why).toEqual(kinds);
    expect(warnings).toEqual([]);
    // Updates without a timeout begin as the original's.
    if (topic(golden.name) === 'no-timeout-upd') expect(kernel.requests[0]).toBe(golden.exchange[0]!.request);
  });

  it('counts as the original does', () => {
    const total = { created: 0, createFailed: 0, updated: 0, updateFailed: 0, destroyed: 0, destroyFailed: 0 };
    for (const golden of cases.filter(({ name }) => name.startsWith('inj-off'))) {
      const errnos = OTHERWISE[topic(golden.name)]?.errnos ?? golden.exchange.map(({ errno }) => errno);
      const { counters } = inject(golden, errnos).store;
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += counters[key];
    }
    // The original: created 17 failed 2, updated 17 failed 1, destroyed 16 failed 0. Of what it failed with, a flow
    // whose master is not there is left; the two without timeout succeed.
    expect(total).toEqual({
      created: 18,
      createFailed: 1,
      updated: 18,
      updateFailed: 0,
      destroyed: 16,
      destroyFailed: 0,
    });
  });
});
