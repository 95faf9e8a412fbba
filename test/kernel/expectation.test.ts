import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExpectationInject } from '../../src/cache/expectation-inject.js';
import { DirectInject } from '../../src/cache/inject.js';
import { loopScheduler, machineClock } from '../../src/daemon/clock.js';
import type { Expectation } from '../../src/flow/expectation.js';
import { expectationLine } from '../../src/flow/expectation-format.js';
import { ASIDE_HELPER, K_HELPER, KNOWN } from '../../src/flow/layout.js';
import { TableDump } from '../../src/kernel/dump.js';
import { KernelRequests } from '../../src/kernel/requests.js';
import { decodeKernelExpectation } from '../../src/netlink/expectation-decode.js';
import { encodeExpectationDumpRequest } from '../../src/netlink/expectation-encode.js';
import {
  EXPECTATION_DESTROY,
  EXPECTATION_NEW,
  EXPECTATION_UPDATE,
  FLOW_DESTROY,
  FLOW_NEW,
} from '../../src/wire/tables.js';
import { inside } from '../lab/inside.js';
import { Namespace } from '../lab/namespace.js';
import { expectationOf } from '../support/expectation.js';
import { tcpFlow } from '../support/tcp-flow.js';

const TIMEOUT = 300;

/** How the kernel itself reports active FTP behind NAT (test/fixtures/expectation, ftp_active_snat). */
const FOLLOWING: Partial<Expectation> = {
  functionName: 'nat-follow-master',
  nat: {
    direction: 1,
    tuple: { kind: expectationOf(1, 1).expected.kind, words: Uint32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0xbb9c) },
  },
};

let namespace: Namespace;
let kernel: KernelRequests;
let warnings: string[];
let flows: DirectInject;
let inject: ExpectationInject;

function createMaster(): void {
  const flow = tcpFlow({ number: 1 });
  flow.words[KNOWN]! |= K_HELPER;
  flow.aside[ASIDE_HELPER] = Buffer.from('ftp\0').readUInt32LE();
  kernel.create(flow, TIMEOUT, 0);
  kernel.submit((_, errno) => {
    throw new Error(kernel.errorText(errno));
  });
}

/** What the kernel holds, by a dump, when all that was told is done. */
async function held(): Promise<Expectation[]> {
  await flows.settled();
  const found: Expectation[] = [];
  return new Promise((resolve, reject) => {
    const events = {
      onEntry: (...entry: Parameters<typeof decodeKernelExpectation>) => {
        const expectation = decodeKernelExpectation(...entry);
        if (expectation !== null) found.push(expectation);
      },
      onInterrupted: () => resolve(found),
      onDone: () => resolve(found),
      onError: reject,
    };
    inside(namespace, () => new TableDump(events, encodeExpectationDumpRequest)).start();
  });
}

beforeEach(() => {
  namespace = new Namespace('expectation');
  namespace.nft('table ip nat { chain c { type nat hook postrouting priority srcnat; }; }');
  kernel = inside(namespace, () => new KernelRequests(true));
  warnings = [];
  const warn = (text: string) => warnings.push(text);
  const log = { info: warn, notice: warn, warning: warn, error: warn, raw: warn };
  flows = new DirectInject({
    kernel,
    clock: machineClock,
    scheduler: loopScheduler,
    log,
    describe: () => '',
    hold: () => {},
  });
  inject = new ExpectationInject({ kernel, log, failures: flows.failures, inOrder: (task) => flows.perform(task) });
});

afterEach(() => {
  kernel.close();
  namespace.remove();
});

describe('expectations in the kernel', () => {
  it('are created, replaced and removed, and come back as they went', async () => {
    createMaster();
    const expectation = expectationOf(1, 0x0a28);
    inject.apply(EXPECTATION_NEW, expectation);
    inject.apply(EXPECTATION_NEW, expectation);
    inject.apply(EXPECTATION_UPDATE, expectation);
    const [found, ...others] = await held();
    expect(others).toEqual([]);
    // The kernel gives the time of the helper's policy, from now on.
    expect(expectationLine(found!)).toBe(expectationLine(expectation));
    inject.apply(EXPECTATION_DESTROY, expectation);
    inject.apply(EXPECTATION_DESTROY, expectation);
    expect(await held()).toEqual([]);
    expect(inject.counters).toMatchObject({ created: 2, updated: 1, destroyed: 1, destroyFailed: 0 });
    expect(warnings).toEqual([]);
  });

  it('keep how their connection is to be translated', async () => {
    createMaster();
    inject.apply(EXPECTATION_NEW, expectationOf(1, 0x0a28, FOLLOWING));
    const [found] = await held();
    expect(warnings).toEqual([]);
    expect(found).toMatchObject(FOLLOWING);
  });

  it('do without a setup that the kernel does not know, new or there already', async () => {
    createMaster();
    for (const more of [{ functionName: 'no-such-function' }, { class: 200 }]) {
      for (let round = 0; round < 2; round++) {
        inject.apply(EXPECTATION_NEW, expectationOf(1, 0x0a28, more));
        const [found] = await held();
        expect([found?.functionName, found?.class]).toEqual(['', 0]);
      }
    }
    expect(inject.counters).toMatchObject({ created: 4, createFailed: 0 });
  });

  it('come behind the flows that were told of before them', async () => {
    const master = tcpFlow({ number: 1, timeout: TIMEOUT });
    master.words[KNOWN]! |= K_HELPER;
    master.aside[ASIDE_HELPER] = Buffer.from('ftp\0').readUInt32LE();
    flows.apply(FLOW_NEW, master);
    inject.apply(EXPECTATION_NEW, expectationOf(1, 0x0a28));
    flows.apply(FLOW_DESTROY, master);
    await flows.settled();
    expect(warnings).toEqual([]);
    expect([inject.counters.created, flows.counters.created, flows.counters.destroyed]).toEqual([1, 1, 1]);
  });

  it('are refused without their master, in the words of the original', async () => {
    inject.apply(EXPECTATION_NEW, expectationOf(1, 0x0a28));
    await flows.settled();
    expect(warnings).toEqual([
      'could not add new exp entry: No such file or directory',
      expect.stringMatching(/^300 proto=6 src=.* class=0 helper=ftp$/),
    ]);
    expect(inject.counters).toMatchObject({ created: 0, createFailed: 1 });
  });

  it('are flushed by one request', async () => {
    createMaster();
    inject.apply(EXPECTATION_NEW, expectationOf(1, 0x0a28));
    expect(await held()).toHaveLength(1);
    kernel.flushExpectations(0);
    kernel.submit((_, errno) => {
      throw new Error(kernel.errorText(errno));
    });
    expect(await held()).toEqual([]);
  });
});
